#!/usr/bin/env python3
"""What nets may take on a Cortex-M4, held to what was measured before.

usage: gates.py            compares with .ci/gates.expected
       gates.py --bless    writes it anew

The nets are those the tree makes by itself (`train-host/examples/tables`), packed for the CPU: the trained digits, and
recipes with fresh weights. Each runs in QEMU, where its outputs must be those of the host. The file holds, for each, a
line of instructions, bytes of flash of the whole image, and bytes of RAM (arena, deepest stack, other statics), and a
line for each layer with its instructions.

By the compiler that the file names every figure must be the very same; another may take up to 15 % more of anything.
A change that moves figures on purpose renews the file: `.ci/gates.py --bless`, and the difference belongs to the change.

Where `../shared/models` is (or `$ZIPNET_SHARED/models`), the models there are imported and held to the bars of BARS, and on a
Cortex-M55 to those of BARS_OF_HELIUM. Standard library only.
"""
import json
import os
import pathlib
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parent.parent
EXPECTED = ROOT / '.ci' / 'gates.expected'
SHARED = pathlib.Path(os.environ.get('ZIPNET_SHARED', ROOT.parent / 'shared'))
NETS = ('digits', 'plain-28', 'separable-28', 'shuffle-28', 'residual-28')
TARGET = 'cortex-m4'
MORE = 1.15

# Model, limit of its arena if any, and the most: estimated cycles of a Cortex-M4 without wait states, bytes of flash,
# bytes of RAM.
BARS = (
    ('ad', None, 380_000, 282_000, 2_600),
    ('kws', None, 4_200_000, 48_000, 13_500),
    ('ic', None, 12_500_000, 106_000, 46_000),
    ('ic', 39_104, 14_500_000, 106_000, 40_000),
)

# Model and the most instructions of a Cortex-M55 with Helium.
BARS_OF_HELIUM = (('ad', 70_000), ('kws', 1_300_000), ('ic', 3_000_000))


def run(*command, table=None):
    """What a command prints; its messages go where ours go. A failure ends us."""
    env = dict(os.environ, ZIPNET_MODEL=str(table)) if table else None
    done = subprocess.run([str(c) for c in command], cwd=ROOT, env=env, stdout=subprocess.PIPE, text=True)
    if done.returncode:
        sys.exit(f'{done.stdout}gates: {" ".join(map(str, command))} failed')
    return done.stdout


def lines(text):
    return [line.split() for line in text.splitlines() if line and not line.startswith('#')]


def image(name):
    target = pathlib.Path(os.environ.get('CARGO_TARGET_DIR', ROOT / 'firmware' / 'target'))
    return target.resolve() / 'thumbv7em-none-eabihf' / 'release' / name


def measure(table):
    """Instructions, bytes of flash and of RAM of a table whose golden outputs it gives."""
    run('firmware/run', 'golden', table=table)
    (_, count, _, flash, _, stack), = lines(run('firmware/run', 'bench', table=table))
    statics = run(sys.executable, '.ci/image.py', '--statics', image('bench'))
    return int(count), int(flash), int(stack) + int(statics)


def layers(table):
    """Name and instructions of each part of an inference."""
    return [(f'{name}:{op}', int(count)) for name, op, _, _, count, _ in
            lines(run('firmware/run', 'bench', '--layers', table=table))]


def figures(scratch):
    """Every line of the file: a name and its numbers."""
    found = []
    for net in NETS:
        table = scratch / f'{net}.rs'
        run('cargo', 'run', '--quiet', '--package', 'train-host', '--example', 'tables', '--', 'net', net, TARGET, table)
        found.append((net, *measure(table)))
        found += [(f'{net}/{layer}', count) for layer, count in layers(table)]
    return found


def compare(found, expected, exact):
    """Where figures are not what they should be."""
    was = {name: [int(n) for n in numbers] for name, *numbers in expected}
    wrong = [f'{name} is measured no more' for name in was if name not in {f[0] for f in found}]
    for name, *numbers in found:
        before = was.get(name)
        if before is None:
            wrong.append(f'{name} is new')
        elif numbers != before if exact else any(n > b * MORE for n, b in zip(numbers, before)):
            wrong.append(f'{name}: {numbers}, expected {"" if exact else "at most 15 % more than "}{before}')
    return wrong


def bars(scratch):
    """Where the models beside the tree take more than their bars."""
    counter = SHARED / 'tools' / 'm4count' / 'm4count.py'
    wrong = []
    for name, limit, *bar in BARS:
        model = SHARED / 'models' / f'{name}.tflite'
        if not model.is_file() or not counter.is_file():
            print(f'{name}: SKIPPED, there is no {model if not model.is_file() else counter}')
            continue
        out = scratch / name
        limits = [] if limit is None else ['--arena-limit', limit]
        run('cargo', 'run', '--quiet', '--package', 'train-host', '--', 'import', model, '--target', TARGET, *limits,
            '--out', out)
        if limit is not None:
            name = f'{name} within {limit} bytes of arena'
        _, flash, ram = measure(out / 'model.rs')
        counts = out / 'counts.json'
        run(sys.executable, counter, '--quiet', '--json', counts, image('bench'))
        cycles = json.loads(counts.read_text())['intervals'][0]['cycles']
        for what, is_, most in zip(('estimated cycles', 'bytes of flash', 'bytes of RAM'), (cycles, flash, ram), bar):
            print(f'{name}: {is_} {what}, bar {most}')
            if is_ > most:
                wrong.append(f'{name}: {is_} {what}, more than {most}')
    return wrong


def bars_of_helium(scratch):
    """The same on a Cortex-M55."""
    wrong = []
    for name, most in BARS_OF_HELIUM:
        model, out = SHARED / 'models' / f'{name}.tflite', scratch / f'{name}-m55'
        if not model.is_file():
            print(f'{name}: SKIPPED, there is no {model}')
            continue
        run('cargo', 'run', '--quiet', '--package', 'train-host', '--', 'import', model, '--target', 'cortex-m55',
            '--out', out)
        run('firmware/run', 'golden', '--board', 'qemu-m55', table=out / 'model.rs')
        (_, count, *_), = lines(run('firmware/run', 'bench', '--board', 'qemu-m55', table=out / 'model.rs'))
        print(f'{name}: {count} instructions of a Cortex-M55, bar {most}')
        if int(count) > most:
            wrong.append(f'{name}: {count} instructions of a Cortex-M55, more than {most}')
    return wrong


def main():
    bless = sys.argv[1:] == ['--bless']
    if sys.argv[1:] and not bless:
        sys.exit(__doc__)
    compiler = run('bash', '-c', 'source firmware/toolchain.sh && choose_toolchain && echo "# $COMPILER"').strip()
    with tempfile.TemporaryDirectory() as scratch:
        scratch = pathlib.Path(scratch)
        found = figures(scratch)
        text = '\n'.join([compiler, '# net instructions flash_bytes ram_bytes, and net/layer:operator instructions'] +
                         [' '.join(map(str, line)) for line in found]) + '\n'
        print('\n'.join(line for line in text.splitlines() if '/' not in line.split(' ')[0]))
        if bless:
            EXPECTED.write_text(text)
            print(f'wrote {EXPECTED.relative_to(ROOT)}')
            return
        kept = EXPECTED.read_text()
        moved = compare(found, lines(kept), kept.startswith(compiler + '\n'))
        above = bars(scratch) + bars_of_helium(scratch)
    for what in moved + above:
        print(what)
    if moved:
        sys.exit('gates: figures moved (if they should: .ci/gates.py --bless)')
    if above:
        sys.exit('gates: more than the bar')


if __name__ == '__main__':
    main()
