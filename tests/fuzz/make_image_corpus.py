#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Writes the corpora of the image fuzz targets: tests/fuzz/make_image_corpus.py

Written from the format specifications, apart from the C++ builder of the unit tests, so that the
readers are held against two descriptions of the formats. A file name says what the reader must do
with the file (accepted-, refused-) and why. Inputs that a fuzzer finds are added by hand.
"""

import pathlib
import struct

CORPUS = pathlib.Path(__file__).parent / "corpus"
BACKING_FORMAT, FEATURES, BITMAPS, LUKS, DATA_FILE = (
    0xE2792ACA, 0x6803F857, 0x23852875, 0x0537BE77, 0x44415441)


def extension(kind, data):
    return struct.pack(">II", kind, len(data)) + data + b"\0" * (-len(data) % 8)


def qcow2(version=3, cluster_bits=9, crypt=0, incompatible=0, autoclear=0, header_length=104,
          more=b"", extensions=b"", end=True, backing=b"", offset=None, size=None):
    tail = extensions + (b"\0" * 8 if end else b"")
    head = 72 if version == 2 else 104 + len(more)
    offset = offset if offset is not None else (head + len(tail) if backing else 0)
    size = size if size is not None else len(backing)
    image = struct.pack(">4sIQIIQI", b"QFI\xfb", version, offset, size, cluster_bits, 1 << 20, crypt)
    image += b"\0" * 36
    if version != 2:
        image += struct.pack(">QQQII", incompatible, 0, autoclear, 4, header_length) + more
    return image + tail + backing


def qed(features=0, cluster=65536, table=4, header=1, backing=b"", offset=64, size=None):
    size = size if size is not None else len(backing)
    return struct.pack("<4sIIIQQQQQII", b"QED\0", cluster, table, header, features, 0, 0, 65536,
                       1 << 20, offset, size) + backing


def overlay(backing, declared=b"qcow2", **more):
    return qcow2(extensions=extension(BACKING_FORMAT, declared), backing=backing, **more)


def members(*pairs):
    return b"".join(struct.pack(">B", len(name)) + name + struct.pack(">H", len(content)) + content
                    for name, content in pairs)


def feature(kind, bit, name):
    return struct.pack(">BB46s", kind, bit, name)


ZSTD = b"\1" + b"\0" * 7
FAT_LIST = extension(BACKING_FORMAT, b"raw") + extension(0x1234, b"x" * (512 - 104 - 16 - 8))

QCOW2 = {
    "accepted-version-2-plain": qcow2(version=2),
    "accepted-version-2-backing": qcow2(version=2, backing=b"base", extensions=extension(
        BACKING_FORMAT, b"raw")),
    "accepted-version-3-plain": qcow2(),
    "accepted-zstd-header-112": qcow2(header_length=112, more=ZSTD, incompatible=8),
    "accepted-unpadded-format-then-data-file": qcow2(
        incompatible=4, autoclear=2, backing=b"base",
        extensions=extension(BACKING_FORMAT, b"qcow2") + extension(DATA_FILE, b"/data.raw")),
    "accepted-extensions-fill-the-cluster": qcow2(extensions=FAT_LIST, end=False),
    "accepted-name-fills-the-cluster": overlay(b"n" * (512 - 104 - 16), end=False),
    "accepted-luks": qcow2(crypt=2, extensions=extension(LUKS, b"\1" * 16)),
    "accepted-bitmaps-and-names": qcow2(cluster_bits=16, extensions=extension(
        BITMAPS, b"\0" * 24) + extension(FEATURES, feature(0, 0, b"dirty bit"))),
    "accepted-undeclared-backing": qcow2(backing=b"base"),
    "refused-empty": b"",
    "refused-magic-only": b"QFI\xfb",
    "refused-version-4": qcow2(version=4),
    "refused-cluster-bits-63": qcow2(cluster_bits=63),
    "refused-header-length-beyond-cluster": qcow2(header_length=1 << 31),
    "refused-backing-offset-overflow": qcow2(offset=(1 << 64) - 1, size=1023),
    "refused-backing-name-in-header": qcow2(offset=8, size=8),
    "refused-backing-name-1024": qcow2(cluster_bits=16, backing=b"n" * 1024),
    "refused-nul-in-name": overlay(b"/etc/shadow\0.img"),
    "refused-extension-length-overflow": qcow2(extensions=struct.pack(">II", 0x1234, 0xFFFFFFF8)),
    "refused-unknown-feature-with-name": qcow2(cluster_bits=16, incompatible=1 << 9,
                                               extensions=extension(FEATURES, feature(
                                                   0, 9, b"time\ntravel"))),
    "refused-data-file-without-name": qcow2(incompatible=4),
    "refused-two-backing-formats": qcow2(
        backing=b"base", extensions=extension(BACKING_FORMAT, b"raw") + extension(
            BACKING_FORMAT, b"qcow2")),
    "refused-extension-without-room": qcow2(offset=108, size=1, end=False, backing=b"b" * 8),
}

QED = {
    "accepted-plain": qed(),
    "accepted-raw-backing": qed(features=5, backing=b"base.raw"),
    "accepted-undeclared-backing": qed(features=3, backing=b"../base.qcow2"),
    "accepted-largest-name": qed(features=1, backing=b"n" * 4095),
    "refused-empty": b"",
    "refused-cluster-size-0": qed(cluster=0),
    "refused-header-size-overflow": qed(header=0xFFFFFFFF),
    "refused-unknown-feature": qed(features=1 << 63),
    "refused-name-offset-overflow": qed(features=1, backing=b"x", offset=0xFFFFFFFF),
    "refused-name-size-overflow": qed(features=1, backing=b"x", size=0xFFFFFFFF),
    "refused-name-in-fixed-header": qed(features=1, backing=b"x", offset=0),
    "refused-nul-in-name": qed(features=5, backing=b"a\0b"),
}

NAMES = {
    "accepted-absolute": b"/vm/top\n/srv/base",
    "accepted-relative": b"/vm/top\n../base",
    "accepted-image-without-directory": b"top\nbase",
    "accepted-colon-behind-slash": b"/vm/top\n./a:b",
    "accepted-file-protocol": b"/vm/top\nfile:/srv/base",
    "accepted-file-protocol-colon": b"/vm/top\nfile:a:b",
    "accepted-newline-in-name": b"/vm/top\nba\nse",
    "accepted-nbd": b"/vm/top\nnbd:localhost:10809",
    "accepted-https": b"/vm/top\nhttps://host/base",
    "accepted-json-nested": b'/vm/top\njson:{"driver":"qcow2","file":{"driver":"file",'
                            b'"filename":"/b"}}',
    "accepted-json-dotted": b'/vm/top\njson:{"file.filename":"/b"}',
    "accepted-json-protocol": b'/vm/top\njson:{"driver":"file","filename":"/b"}',
    "accepted-json-two-layers": b'/vm/top\njson:{"driver":"qcow2","file.filename":"/a","backing":'
                                b'{"driver":"raw","file.filename":"/b","backing":null}}',
    "accepted-json-network": b'/vm/top\njson:{"driver":"raw","file":{"driver":"nbd","host":"h"}}',
    "accepted-json-array": b'/vm/top\njson:{"file.filename":"/b","x":[1,"y",[null]]}',
    "refused-empty": b"/vm/top\n",
    "refused-nul-in-image": b"/vm\0/top\nbase",
    "refused-unknown-protocol": b"/vm/top\nzork:base",
    "refused-local-driver": b"/vm/top\nfat:/etc",
    "refused-json-node-reference": b'/vm/top\njson:{"driver":"qcow2","file":"node0"}',
    "refused-json-duplicate-key": b'/vm/top\njson:{"file.filename":"/a","file":{"filename":"/b"}}',
    "refused-json-nul": b'/vm/top\njson:{"file.filename":"/a\\u0000b"}',
    "refused-json-deep-arrays": b"/vm/top\njson:" + b"[" * 1000,
    "refused-json-deep-objects": b"/vm/top\njson:" + b'{"a":' * 200,
    "refused-json-bad-utf8": b'/vm/top\njson:{"file.filename":"/\xff"}',
    "accepted-json-single-quotes": b"/vm/top\njson:{'file.filename':'/a'}",
}

CHAINS = {
    "accepted-raw": members((b"top", b"bytes")),
    "accepted-three-deep": members((b"top", overlay(b"mid")), (b"mid", overlay(b"./base", b"raw")),
                                   (b"base", b"bytes")),
    "accepted-qed-over-raw": members((b"top", overlay(b"mid", b"qed")), (b"mid", qed(
        features=5, backing=b"base")), (b"base", b"")),
    "accepted-data-file": members((b"top", qcow2(incompatible=4, extensions=extension(
        DATA_FILE, b"/vm/data"))), (b"data", b"")),
    "accepted-json": members((b"top", overlay(
        b'json:{"driver":"raw","file.filename":"/vm/base"}', b"raw")), (b"base", b"")),
    "accepted-network-end": members((b"top", overlay(b"nbd://host/x", b"raw"))),
    "refused-missing": members((b"top", overlay(b"gone"))),
    "refused-loop-of-one": members((b"top", overlay(b"../vm/top"))),
    "refused-loop-of-two": members((b"top", overlay(b"mid")), (b"mid", overlay(b"top"))),
    "refused-undeclared": members((b"top", qcow2(backing=b"base")), (b"base", b"")),
    "refused-qed-undeclared": members((b"top", qed(features=1, backing=b"base")), (b"base", b"")),
    "refused-data-file-is-the-image": members((b"top", qcow2(incompatible=4, extensions=extension(
        DATA_FILE, b"/vm/top")))),
    "refused-malformed-below": members((b"top", overlay(b"mid")), (b"mid", b"QFI\xfb\0\0\0\7")),
}


def main():
    for target, files in {"fuzz_qcow2": QCOW2, "fuzz_qed": QED, "fuzz_backing_name": NAMES,
                          "fuzz_chain": CHAINS}.items():
        directory = CORPUS / target
        directory.mkdir(parents=True, exist_ok=True)
        for name, content in files.items():
            (directory / name).write_bytes(content)


if __name__ == "__main__":
    main()
