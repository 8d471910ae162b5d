#!/usr/bin/env python3
"""inflating.py FILE SECTION BYTES: puts, in an ELF file of 64 bits, so many zeros in the place of what a section holds,
compressed: in the file, they take a thousandth."""
import struct
import sys
import zlib

SHF_COMPRESSED, ELFCOMPRESS_ZLIB, PIECE = 1 << 11, 1, 1 << 20

path, section, count = sys.argv[1], sys.argv[2].encode(), int(sys.argv[3])
pieces = count // PIECE
deflate = zlib.compressobj(9, zlib.DEFLATED, -15)
piece = deflate.compress(bytes(PIECE)) + deflate.flush(zlib.Z_FULL_FLUSH)  # the same again and again
check = pieces * PIECE % 65521 << 16 | 1  # Adler-32 of zeros
stream = b"\x78\xda" + piece * pieces + b"\x03\x00" + struct.pack(">I", check)
content = struct.pack("<IIQQ", ELFCOMPRESS_ZLIB, 0, pieces * PIECE, 1) + stream

data = bytearray(open(path, "rb").read())
(table,) = struct.unpack_from("<Q", data, 40)
size, number, names = struct.unpack_from("<HHH", data, 58)
(names_at,) = struct.unpack_from("<Q", data, table + names * size + 24)
for i in range(number):
    at = table + i * size
    name = names_at + struct.unpack_from("<I", data, at)[0]
    if data[name : data.index(0, name)] == section:
        struct.pack_into("<Q", data, at + 8, struct.unpack_from("<Q", data, at + 8)[0] | SHF_COMPRESSED)
        struct.pack_into("<QQ", data, at + 24, len(data), len(content))
        break
else:
    sys.exit(f"{path}: no section {sys.argv[2]}")
open(path, "wb").write(data + content)
