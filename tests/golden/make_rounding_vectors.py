#!/usr/bin/env python3
"""Writes rounding-vectors.txt: known answers for W0 + D * 2^-48 rounded once to bf16, fp16 or fp32, ties to even.

Independent of the C++ code: the codes of a type's finite values from +0 up are in the order of the values, so the two neighbours of the exact sum
(fractions.Fraction) are found by bisection over codes, and the nearer one wins. Deterministic; run it in its own folder to check or renew the file.
"""
import random
from fractions import Fraction

GRID = Fraction(1, 2**48)
D_MAX = 2**63 - 1
# name: (total bits, exponent bits, fraction bits)
TYPES = {"bf16": (16, 8, 7), "fp16": (16, 5, 10), "fp32": (32, 8, 23)}


class Type:
    def __init__(self, name):
        self.name = name
        self.bits, exponent_bits, self.fraction_bits = TYPES[name]
        self.bias = 2 ** (exponent_bits - 1) - 1
        self.infinity = (2**exponent_bits - 1) << self.fraction_bits
        self.sign = 1 << (self.bits - 1)

    def magnitude(self, code):
        """The value of a non-negative code; that of infinity is the next power of two, the limit that IEEE 754 rounds against."""
        field, fraction = code >> self.fraction_bits, code & (2**self.fraction_bits - 1)
        if field == 0:
            return Fraction(fraction, 2**self.fraction_bits) * Fraction(2) ** (1 - self.bias)
        return (1 + Fraction(fraction, 2**self.fraction_bits)) * Fraction(2) ** (field - self.bias)

    def value(self, code):
        return -self.magnitude(code ^ self.sign) if code & self.sign else self.magnitude(code)

    def nearest(self, value):
        if value == 0:
            return 0
        sign, size = (self.sign, -value) if value < 0 else (0, value)
        if size >= self.magnitude(self.infinity):
            return sign | self.infinity
        low, high = 0, self.infinity
        while high - low > 1:
            middle = (low + high) // 2
            if self.magnitude(middle) <= size:
                low = middle
            else:
                high = middle
        below, above = size - self.magnitude(low), self.magnitude(high) - size
        return sign | (low if below < above or (below == above and low % 2 == 0) else high)

    def served(self, base, difference):
        return base if difference == 0 else self.nearest(self.value(base) + difference * GRID)


def ties(kind, rng, lines):
    """Sums exactly between two neighbours, and one grid step to either side."""
    for _ in range(150):
        base = rng.randrange(kind.infinity) | rng.choice((0, kind.sign))
        around = kind.nearest(abs(kind.value(base)) * Fraction(rng.randrange(1, 64), 32)) % kind.sign
        code = min(max(around + rng.randrange(-3, 4), 0), kind.infinity - 1)
        middle = (kind.magnitude(code) + kind.magnitude(code + 1)) / 2 * rng.choice((1, -1))
        exact = (middle - kind.value(base)) / GRID
        for step in (-1, 0, 1):
            lines.append((base, int(exact // 1) + step))


def near_one(kind, rng, lines):
    """Ties among weights of usual size."""
    one = kind.nearest(Fraction(1))
    for _ in range(150):
        base = rng.randrange(one) | rng.choice((0, kind.sign))
        code = rng.randrange(one // 2, one)
        middle = (kind.magnitude(code) + kind.magnitude(code + 1)) / 2 * rng.choice((1, -1))
        exact = int((middle - kind.value(base)) / GRID // 1)
        for step in (-1, 0, 1):
            lines.append((base, exact + step))


def zeros(kind, rng, lines):
    for base in (0, kind.sign):
        for difference in (0, 1, -1, 2, -2, 3, -3, 2**22, 2**23, 2**23 + 1, -(2**23), -(2**23) - 1, 3 * 2**23, -3 * 2**23, 2**48, -(2**48)):
            lines.append((base, difference))
    for _ in range(60):  # sums of exactly zero
        code = kind.nearest(Fraction(rng.randrange(1, 2**20), 2 ** rng.randrange(10, 20)))
        for base, sign in ((code, -1), (code | kind.sign, 1)):
            exact = kind.magnitude(code) / GRID
            if exact.denominator == 1 and exact <= D_MAX:
                lines.append((base, sign * int(exact)))


def subnormals(kind, rng, lines):
    """Subnormal bases, and sums that are subnormal or underflow where the type has subnormals above the grid."""
    smallest_normal = 1 << kind.fraction_bits
    for _ in range(150):
        base = rng.randrange(smallest_normal) | rng.choice((0, kind.sign))
        lines.append((base, rng.choice((1, -1)) * rng.randrange(1, 2 ** rng.randrange(1, 36))))
        lines.append((base, 0))


def off_grid(kind, rng, lines):
    """Bases that are no multiple of the grid: the difference lies on a tie, the base decides the side."""
    tiny_top = kind.nearest(Fraction(1, 2**49))
    for _ in range(250):
        base = (rng.randrange(1, max(tiny_top, 2)) if tiny_top > 1 else rng.randrange(1, 1 << kind.fraction_bits)) | rng.choice((0, kind.sign))
        width = rng.randrange(1, 62 - kind.fraction_bits)
        odd = (2**kind.fraction_bits + rng.randrange(2**kind.fraction_bits)) * 2 + 1
        lines.append((base, rng.choice((1, -1)) * min(odd << max(width - 2, 0), D_MAX)))
        lines.append((base, rng.choice((1, -1))))
        lines.append((base, rng.choice((1, -1)) * rng.randrange(1, 2 ** rng.randrange(1, 63))))


def large(kind, rng, lines):
    top = kind.infinity - 1
    for base in (top, top | kind.sign, top - 1, kind.nearest(Fraction(2**15)), kind.nearest(Fraction(2**14)) | kind.sign, 0):
        if base & ~kind.sign >= kind.infinity:
            continue
        for difference in (D_MAX, -D_MAX, -(2**63), 2**62, -(2**62), 2**62 - 1, 1, -1):
            lines.append((base, difference))
    for _ in range(150):
        base = rng.randrange(kind.nearest(Fraction(2**10)), kind.infinity) | rng.choice((0, kind.sign))
        lines.append((base, rng.choice((1, -1)) * rng.randrange(2**55, 2**63)))
    for _ in range(60):  # around the largest value of fp16
        base = kind.nearest(Fraction(rng.randrange(32000, 65000)))
        lines.append((base, min(int((Fraction(65520) - kind.value(base)) / GRID) + rng.randrange(-1, 2), D_MAX)))


def anything(kind, rng, lines):
    for _ in range(400):
        base = rng.randrange(kind.infinity) | rng.choice((0, kind.sign))
        lines.append((base, rng.choice((1, -1)) * rng.randrange(2 ** rng.randrange(1, 64))))


def main():
    with open("rounding-vectors.txt", "w", encoding="ascii") as out:
        out.write("# type, bits of W0, D in units of 2^-48, bits of the served weight (infinity: overflow). Written by make_rounding_vectors.py\n")
        for name in TYPES:
            kind, rng = Type(name), random.Random(f"emend rounding {name}")
            for family in (zeros, near_one, ties, subnormals, off_grid, large, anything):
                lines = []
                family(kind, rng, lines)
                out.write(f"# {family.__name__}\n")
                for base, difference in lines:
                    if -(2**63) <= difference <= D_MAX:
                        width = kind.bits // 4
                        out.write(f"{name} {base:0{width}x} {difference} {kind.served(base, difference):0{width}x}\n")


if __name__ == "__main__":
    main()
