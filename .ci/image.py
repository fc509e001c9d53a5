#!/usr/bin/env python3
"""What a linked firmware image must not hold.

usage: image.py IMAGE.elf MODEL.rs
       image.py --statics IMAGE.elf     (prints the bytes of RAM that statics take)

Fails, naming each find, where the image
  - calls a panic from anywhere but the transport of the logs (its guard against re-entry);
  - holds code of `core::fmt`;
  - holds a float routine, or a float instruction that computes;
  - holds a kernel that the model does not use (or lacks one that it does: then this gate would be blind).

Needs line tables in the image (the release profile keeps them; they take no flash) and `readelf` of GNU binutils.
Standard library only.
"""
import bisect
import pathlib
import re
import struct
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
KERNELS = ROOT / 'src' / 'kernels'

# Both manglings of Rust write a path as lengths and names.
PANIC = re.compile(r'4core9panicking|rust_begin_unwind|13unwrap_failed|13expect_failed|4core5slice5index\w*fail|_defmt_(default_)?panic')
FORMAT = re.compile(r'4core3fmt')
FLOAT = re.compile(r'^__aeabi_(c?[fd]|u?[il]2[fd])'
                   r'|^__(add|sub|mul|div|neg|cmp|eq|ne|ge|gt|le|lt|unord|fix|fixuns|extend|trunc|pow)\w*[sdh]f[23sd]?\w*$'
                   r'|^__float\w+[sd]f$')
# The only code that may panic, when the logger is acquired twice or semihosting writes more than it was given.
LOGGER = re.compile(r'^_defmt_(acquire|release|write|flush)$|17defmt_semihosting|9defmt_rtt|5defmt6export|11semihosting')


class Image:
    """Functions and code of a little-endian 32-bit ELF file."""

    def __init__(self, path):
        d = self.bytes = pathlib.Path(path).read_bytes()
        if d[:6] != b'\x7fELF\x01\x01':
            sys.exit(f'{path}: not a little-endian 32-bit ELF file')
        offset, = struct.unpack_from('<I', d, 32)
        size, count = struct.unpack_from('<HH', d, 46)
        sections = [struct.unpack_from('<10I', d, offset + i * size) for i in range(count)]
        self.statics = sum(s[5] for s in sections if s[2] & 3 == 3)  # allocated, writable
        self.code = [(s[3], s[4], s[5]) for s in sections if s[1] == 1 and s[2] & 4]  # address, offset, size
        self.functions, self.marks = {}, []
        for s in (s for s in sections if s[1] == 2):
            names = sections[s[6]][4]
            for at in range(s[4], s[4] + s[5], 16):
                name, value, length, info, _, home = struct.unpack_from('<IIIBBH', d, at)
                name = d[names + name:d.index(b'\0', names + name)].decode()
                if re.match(r'\$[atd](\.|$)', name):
                    self.marks.append((value & ~1, name[1]))
                elif info & 15 == 2 and home:
                    self.functions.setdefault(value & ~1, []).append((name, length))
        self.marks.sort()

    def instructions(self):
        """Address and halfwords (one or two) of each instruction; data between code is left out."""
        for start, offset, size in self.code:
            edges = [m for m in self.marks if start <= m[0] < start + size] + [(start + size, 'd')]
            for (begin, kind), (end, _) in zip(edges, edges[1:]):
                at = begin
                while kind == 't' and at + 2 <= end:
                    first, = struct.unpack_from('<H', self.bytes, offset + at - start)
                    if first >> 11 in (0b11101, 0b11110, 0b11111) and at + 4 <= end:
                        yield at, first, struct.unpack_from('<H', self.bytes, offset + at + 2 - start)[0]
                        at += 4
                    else:
                        yield at, first, None
                        at += 2

    def owner(self):
        """A function from an address to the name of the function around it."""
        starts = sorted(self.functions)

        def of(address):
            i = bisect.bisect_right(starts, address) - 1
            return self.functions[starts[i]][0][0] if i >= 0 else '?'
        return of


def target(at, first, second):
    """Where a direct branch or call goes; None for other instructions."""
    def signed(value, bits):
        return value - (1 << bits) if value >> (bits - 1) else value
    if second is None:
        if first >> 12 == 0b1101 and (first >> 8) & 15 < 14:
            return at + 4 + signed(first & 0xff, 8) * 2
        if first >> 11 == 0b11100:
            return at + 4 + signed(first & 0x7ff, 11) * 2
        return None
    if first >> 11 != 0b11110 or second >> 15 == 0:
        return None
    s, j1, j2 = first >> 10 & 1, second >> 13 & 1, second >> 11 & 1
    if second >> 12 & 1 or second >> 14 & 1:  # bl, b.w
        if second >> 12 & 1 == 0 and second >> 14 & 1:  # blx: not on this core
            return None
        i1, i2 = 1 - (j1 ^ s), 1 - (j2 ^ s)
        return at + 4 + signed(s << 24 | i1 << 23 | i2 << 22 | (first & 0x3ff) << 12 | (second & 0x7ff) << 1, 25)
    if first >> 6 & 15 < 14:  # b.w with a condition
        return at + 4 + signed(s << 20 | j2 << 19 | j1 << 18 | (first & 0x3f) << 12 | (second & 0x7ff) << 1, 21)
    return None


def computes_float(first, second):
    """VFP data processing (vadd, vmul, vcvt, vcmp...); moves, loads and stores between registers do not count."""
    if second is None or first & 0xef00 != 0xee00 or second & 0x0e10 != 0x0a00:
        return False
    moves = first & 0xb0 == 0xb0 and (second & 0x50 == 0x40 and first & 0xf == 0 or second & 0x50 == 0)
    return not moves


def calls(image):
    owner, found = image.owner(), []
    wanted = {at for at, names in image.functions.items() if any(PANIC.search(n) for n, _ in names)}
    for at, first, second in image.instructions():
        name = owner(at)
        if target(at, first, second) in wanted and not PANIC.search(name) and not LOGGER.search(name):
            found.append(f'{name} may panic (at {at:#x})')
    return sorted(set(found))


def names(image):
    found = []
    for at, all_names in sorted(image.functions.items()):
        for name, _ in all_names:
            if FORMAT.search(name):
                found.append(f'formatting: {name}')
            if FLOAT.search(name):
                found.append(f'float routine: {name}')
    owner = image.owner()
    for at, first, second in image.instructions():
        if computes_float(first, second):
            found.append(f'float instruction {first:04x} {second:04x} in {owner(at)} (at {at:#x})')
    return found


# Operators whose kernel has another name than theirs.
KERNEL = {
    'relu6': 'requantize', 'relu': 'requantize', 'relu_n1_to1': 'requantize',
    'leaky_relu': 'look_up', 'hard_swish': 'look_up', 'logistic': 'look_up', 'tanh': 'look_up',
}

# Kernels of packed weights, by the packing.
PACKED = {
    'DspPatch': 'packed/conv2d', 'DspPoint': 'packed/point_conv2d', 'DspLongPatch': 'packed/long_conv2d',
    'DspRows': 'packed/rows_conv2d', 'DspViews': 'packed/views_conv2d', 'DspLongDense': 'packed/long_dense',
    'DspWinograd': 'packed/winograd_conv2d', 'DspSquares': 'packed/squares_conv2d',
    'DspDense': 'packed/dense', 'DspDepthwise': 'packed/depthwise_conv2d',
    'DspDepthwise3': 'packed/depthwise_conv2d_3x3', 'DspFourChannels': 'packed/four_channels', 'DspAdd': 'packed/add',
    'Vectors': 'vectors/conv2d', 'Halves': 'halves/conv2d', 'RingDepthwise': 'halves/depthwise_conv2d',
    'Nibbles': 'nibbles/conv2d', 'NibblesShort': 'nibbles/conv2d', 'NibblesDense': 'nibbles/dense',
    'NibblesDepthwise': 'nibbles/depthwise_conv2d',
}


def snake(name):
    return re.sub(r'(?<=[a-z0-9])(?=[A-Z])', '_', name).lower()


def used_kernels(table):
    """Names of the kernels that the operators of a `model.rs` call."""
    used = set()
    for op, operands, packing in re.findall(
            r'\bop: Op::([A-Z]\w*)(?:\(Operands::(\w+))?.*\bpacking: Packing::(\w+)', table):
        if packing != 'Plain':
            used.add(PACKED[packing])
            continue
        name = snake(op)
        name = KERNEL.get(name, name)
        if operands not in ('', 'Equal') and name == 'add':
            name = 'add_broadcast'
        # What is not of the output's shape is repeated to it first.
        if name in ('add_broadcast', 'sub', 'mul', 'prelu'):
            used.add('repeat')
        used.add(name)
    return used


def kernels():
    """File and lines of each kernel: the functions that the files of `src/kernels` offer to the engine."""
    places = {}
    for path in KERNELS.rglob('*.rs'):
        if path.name == 'mod.rs':
            continue
        file, name = path.relative_to(KERNELS), None
        for number, line in enumerate(path.read_text().splitlines(), 1):
            if m := re.match(r'pub\(crate\) (?:const )?fn (\w+)', line):
                name = (file.parent / m[1]).as_posix()
                places[name] = (file.as_posix(), number, number)
            elif name and line.startswith('}'):
                places[name] = (file.as_posix(), places[name][1], number)
                name = None
    return places


def linked(path, model):
    text = subprocess.run(['readelf', '--debug-dump=decodedline', path], capture_output=True, text=True, check=True).stdout
    seen, current = set(), None
    for line in text.splitlines():
        if m := re.match(r'(\S+\.rs):(\[\+\+\])?$', line):
            current = m[1]
        elif (m := re.match(r'\S+\s+(\d+)\s+0x', line)) and current and '/src/kernels/' in '/' + current:
            seen.add((('/' + current).split('/src/kernels/')[1], int(m[1])))
    if not seen:
        return [f'no line of {KERNELS} has code: are there line tables?']
    places = kernels()
    used = used_kernels(pathlib.Path(model).read_text())
    files = {places[name][0] for name in used if name in places}
    found = []
    for name, (file, first, last) in sorted(places.items()):
        code = any(f == file and first <= n <= last for f, n in seen)
        if code and name not in used:
            found.append(f'kernel {name} is linked, but the model does not use it')
        if name in used and not any(f == file for f, _ in seen):
            found.append(f'kernel {name} is not linked, but the model uses it')
    owners = {file for file, _, _ in places.values()}
    for file in sorted({f for f, _ in seen if f in owners} - files):
        found.append(f'src/kernels/{file} has code in the image, but the model uses none of its kernels')
    return found


def main():
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    if sys.argv[1] == '--statics':
        print(Image(sys.argv[2]).statics)
        return
    path, model = sys.argv[1:]
    image = Image(path)
    found = calls(image) + names(image) + linked(path, model)
    for what in found:
        print(f'{path}: {what}')
    sys.exit(1 if found else 0)


if __name__ == '__main__':
    main()
