#!/usr/bin/env python3
"""Copies a model's table with one weight changed.

usage: spoil.py MODEL.rs SPOILED.rs

The weight is the first of the greatest magnitude in the largest table of weights; its sign is turned.
"""
import re
import sys


def main():
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    text = open(sys.argv[1]).read()
    tables = list(re.finditer(r'\b(\w+): \[i8; \d+\] =\s*\[([^\]]*)\]', text))
    if not tables:
        sys.exit(f'{sys.argv[1]}: holds no table `NAME: [i8; N] = [...]`')
    table = max(tables, key=lambda t: len(t[2]))
    numbers = list(re.finditer(r'-?\d+', table[2]))
    weight = max(numbers, key=lambda n: abs(int(n[0])))
    begin = table.start(2) + weight.start()
    value = -int(weight[0])
    if not -127 <= value <= 127 or value == 0:
        sys.exit(f'{sys.argv[1]}: {table[1]} holds no weight whose sign could be turned')
    open(sys.argv[2], 'w').write(text[:begin] + str(value) + text[begin + len(weight[0]):])
    print(f'{table[1]}[{numbers.index(weight)}]: {weight[0]} is now {value}')


if __name__ == '__main__':
    main()
