#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Writes the corpora of the image fuzz targets: tests/fuzz/make_image_corpus.py

Written from the format specifications, apart from the C++ builder of the unit tests, so that the
readers are held against two descriptions of the formats. A file name says what the reader must do
with the file (accepted-, refused-) and why. Inputs that a fuzzer finds are added by hand. The parts
of a vhdx image lie far apart, so those files hold pieces: four bytes (big-endian) with an offset, two
with a length, the content.
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


def pieces(*pairs):
    return b"".join(struct.pack(">IH", offset, len(content)) + content
                    for offset, content in pairs)


def qcow(version=1, cluster_bits=12, crypt=0, backing=b"", offset=None, size=None):
    offset = offset if offset is not None else (48 if backing else 0)
    size = size if size is not None else len(backing)
    return struct.pack(">4sIQIIQBBHIQ", b"QFI\xfb", version, offset, size, 0, 1 << 20, cluster_bits,
                       9, 0, crypt, 0) + backing


def descriptor(extents=b"", kind=b"monolithicFlat", parent=b"ffffffff", more=b""):
    return (b"# Disk DescriptorFile\nversion=1\nCID=1\nparentCID=" + parent + b'\ncreateType="' + kind
            + b'"\n' + more + b"\n# Extent description\n" + extents + b"\n#DDB\n")


def sparse(capacity=8, text=b"", sector=None):
    sector = sector if sector is not None else (1 if text else 0)
    head = struct.pack("<4sIIQQQQIQQQB4sH", b"KDMV", 1, 3, capacity, 128, sector, 20, 512, 0, 26, 128,
                       0, b"\n \r\n", 0)
    return head.ljust(512, b"\0") + text + b"\0"


def utf16(text, order="little"):
    return text.encode("utf-16-le" if order == "little" else "utf-16-be")


GUIDS = {"metadata": "06a27c8b90479a4bb8fe575f050f886e",
         "bat": "6677c22d23f600429d64115e9bfd4a08",
         "parameters": "3767a1ca36fa434db3b633f0aa44e76b",
         "size": "2442a52f1bcd7648b2115dbed83bf4b8",
         "locator": "2d5fd3a80bb34d45abf7d3d84834ab0c"}


def guid(name):
    return bytes.fromhex(GUIDS[name])


def vhdx(regions=(("bat", 1 << 21), ("metadata", 0x50000)), region=0x50000,
         items=(("parameters", 0x1000), ("size", 0x1008)), has_parent=0, locator=b"", count=None,
         signature=b"regi"):
    table = signature + struct.pack("<III", 0, count if count is not None else len(regions), 0)
    table += b"".join(guid(name) + struct.pack("<QII", offset, 1 << 20, 1)
                      for name, offset in regions)
    metadata = b"metadata" + struct.pack("<HH20x", 0, len(items))
    metadata += b"".join(guid(name) + struct.pack("<IIII", offset, 8, 4, 0)
                         for name, offset in items)
    return pieces((0, b"vhdxfile"), (0x30000, table), (region, metadata),
                  (region + 0x1000, struct.pack("<IIQ", 1 << 21, has_parent, 1 << 30)),
                  (region + 0x2000, locator))


def locator(*pairs, count=None):
    head = b"\0" * 18 + struct.pack("<H", count if count is not None else len(pairs))
    at = 20 + 12 * len(pairs)
    entries, texts = b"", b""
    for key, value in pairs:
        key, value = utf16(key), utf16(value)
        entries += struct.pack("<IIHH", at + len(texts), at + len(texts) + len(key), len(key),
                               len(value))
        texts += key + value
    return head + entries + texts


def footer(kind, dynamic=512):
    return struct.pack(">8sIIQI4sHH4sQQHBBI", b"conectix", 2, 0x10000, dynamic, 0, b"qem2", 0, 0, b"Wi2k",
                       1 << 20, 1 << 20, 30, 4, 17, kind).ljust(512, b"\0")


def dynamic(parent="", locators=b"", magic=b"cxsparse"):
    head = struct.pack(">8sQQIIII16sII", magic, (1 << 64) - 1, 1536, 0x10000, 1, 1 << 21, 0,
                       b"\1" * 16 if parent else b"\0" * 16, 0, 0)
    return (head + utf16(parent, "big").ljust(512, b"\0") + locators).ljust(1024, b"\0")


def parent_locator(code, offset, length):
    return struct.pack(">4sIIIQ", code, 512, length, 0, offset)


def vdi(version=0x10001, link=b"\0" * 16, parent=b"\0" * 16, signature=b"\x7f\x10\xda\xbe"):
    head = b"<<< QEMU VM Virtual Disk Image >>>\n".ljust(64, b"\0") + signature
    head = (head + struct.pack("<I", version)).ljust(0x170, b"\0") + struct.pack("<Q", 1 << 20)
    return (head.ljust(0x1A8, b"\0") + link + parent).ljust(512, b"\0")


def parallels(magic=b"WithoutFreeSpace", version=2):
    return struct.pack("<16sIIIIIQIIIQ", magic, version, 16, 1, 2048, 1, 2048, 0, 1, 0, 0)


def luks(magic=b"LUKS\xba\xbe", version=1):
    return struct.pack(">6sH", magic, version).ljust(592, b"\0")


def bochs(magic=b"Bochs Virtual HD Image", kind=b"Redolog", subtype=b"Growing", version=0x20000):
    return struct.pack("<32s16s16sIIIIIIQ", magic, kind, subtype, version, 512, 1, 512, 4096, 0,
                       1 << 20).ljust(512, b"\0")


CLOOP_SCRIPT = (b"#!/bin/sh\n#V2.0 Format\nmodprobe cloop file=$0 && mount -r -t iso9660 /dev/cloop "
                b"$1\n")


def cloop(block=65536, count=3, script=CLOOP_SCRIPT):
    return script.ljust(128, b"\0") + struct.pack(">II", block, count)


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
    "accepted-json-filters": b"/vm/top\njson:{'driver':'throttle','file':{'driver':'qcow2','file':{"
                             b"'driver':'raw','offset':'1M','size':9,'file.filename':'/b'}}}",
    "refused-json-filter-undeclared": b'/vm/top\njson:{"driver":"throttle","file.filename":"/b"}',
    "refused-json-vvfat": b'/vm/top\njson:{"driver":"raw","file":{"driver":"vvfat","dir":"/etc"}}',
    "refused-json-filters-without-end": b'/vm/top\njson:{"driver":"qed","' + b"file." * 300 +
                                        b'driver":"raw"}',
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

VMDK = {
    "accepted-monolithic-flat": descriptor(b'RW 8 FLAT "disk-flat.vmdk" 0\n'),
    "accepted-two-gb-sparse": descriptor(b'RW 8 SPARSE "a-s001.vmdk"\nRW 4 SPARSE "a-s002.vmdk"\n',
                                         kind=b"twoGbMaxExtentSparse"),
    "accepted-vmfs-and-zero": descriptor(b'RW 8 VMFS "a-flat.vmdk"\nRW 8 ZERO\n', kind=b"vmfs"),
    "accepted-vmfs-sparse-parent": descriptor(
        b'RW 8 VMFSSPARSE "a-delta.vmdk"\n', kind=b"vmfsSparse", parent=b"fffffffe",
        more=b'parentFileNameHint="base.vmdk"\n'),
    "accepted-windows-line-ends": descriptor(b'RW 8 FLAT "a.vmdk" 0\n').replace(b"\n", b"\r\n"),
    "accepted-extent-with-dot-dot": descriptor(b'RW 8 FLAT "../../etc/shadow" 0\n'),
    "accepted-monolithic-sparse": sparse(text=descriptor(kind=b"monolithicSparse")),
    "accepted-sparse-parent": sparse(text=descriptor(
        kind=b"monolithicSparse", parent=b"2", more=b'parentFileNameHint="/vm/base.vmdk"\n')),
    "accepted-sparse-that-lists-extents": sparse(capacity=0, text=descriptor(
        b'RW 8 FLAT "a-flat.vmdk" 0\n')),
    "refused-empty": b"",
    "refused-magic-only": b"KDMV",
    "refused-cowd-without-descriptor": b"COWD".ljust(2048, b"\0"),
    "refused-text-without-type": b"# Disk DescriptorFile\nversion=1\nCID=1\nparentCID=ffffffff\n",
    "refused-unknown-type": descriptor(kind=b"fullDevice"),
    "refused-sparse-without-descriptor": sparse(),
    "refused-sparse-descriptor-elsewhere": sparse(text=descriptor(), sector=1 << 54),
    "refused-parent-id-without-name": sparse(text=descriptor(parent=b"2")),
    "refused-parent-named-twice": sparse(text=descriptor(
        more=b'parentFileNameHint="a"\nparentFileNameHint="b"\n')),
    "refused-parent-in-a-comment": sparse(text=descriptor(more=b'# parentFileNameHint="a"\n')),
    "refused-parent-without-quote": sparse(text=descriptor(more=b'parentFileNameHint="a\n')),
    "refused-parent-beyond-what-qemu-searches": sparse(text=descriptor(
        more=b"#" * 10240 + b'\nparentFileNameHint="a"\n')),
    "refused-parent-id-no-number": sparse(text=descriptor(parent=b"base")),
    "refused-extent-over-two-lines": descriptor(b'RW 8 FLAT\n"a.vmdk" 0\n'),
    "refused-extent-after-empty-line": descriptor(b'\nRW 8 FLAT "a.vmdk" 0\n'),
    "refused-extent-without-quote": descriptor(b'RW 8 SPARSE "a.vmdk\n'),
    "refused-extent-name-512": descriptor(b'RW 8 SPARSE "' + b"n" * 512 + b'"\n'),
    "refused-extent-without-offset": descriptor(b'RW 8 FLAT "a.vmdk"\n'),
    "refused-extent-negative-offset": descriptor(b'RW 8 FLAT "a.vmdk" -1\n'),
    "refused-extent-sectors-overflow": descriptor(b'RW 99999999999999999999 FLAT "a.vmdk" 0\n'),
    "refused-extent-read-only": descriptor(b'RDONLY 8 FLAT "a.vmdk" 0\n'),
    "refused-extent-of-a-device": descriptor(b'RW 8 VMFSRDM "a.vmdk"\n'),
}

QCOW = {
    "accepted-plain": qcow(),
    "accepted-aes": qcow(crypt=1),
    "accepted-backing": qcow(backing=b"../base.raw"),
    "accepted-largest-name": qcow(backing=b"n" * 1023),
    "accepted-empty-name": qcow(offset=48, size=0),
    "refused-empty": b"",
    "refused-version-2": qcow(version=2),
    "refused-cluster-bits-63": qcow(cluster_bits=63),
    "refused-crypt-2": qcow(crypt=2),
    "refused-name-1024": qcow(backing=b"n" * 1024),
    "refused-name-in-header": qcow(offset=8, size=8),
    "refused-name-offset-overflow": qcow(offset=(1 << 64) - 1, size=2),
    "refused-name-beyond-the-end": qcow(offset=4096, size=9),
    "refused-nul-in-name": qcow(backing=b"/etc/shadow\0.img"),
}

VHDX = {
    "accepted-dynamic": vhdx(),
    "accepted-fixed": vhdx(has_parent=1),
    "refused-empty": b"",
    "refused-other-magic": pieces((0, b"vhdyfile")),
    "refused-no-region-table": vhdx(signature=b"rege"),
    "refused-region-count-overflow": vhdx(count=0xFFFFFFFF),
    "refused-no-metadata-region": vhdx(regions=(("bat", 1 << 21),)),
    "refused-two-metadata-regions": vhdx(regions=(("metadata", 0x50000), ("metadata", 0x60000))),
    "refused-metadata-offset-overflow": vhdx(regions=(("metadata", (1 << 64) - 1),)),
    "refused-metadata-beyond-the-end": vhdx(regions=(("metadata", 1 << 40),)),
    "refused-no-file-parameters": vhdx(items=(("size", 0x1008),)),
    "refused-item-twice": vhdx(items=(("parameters", 0x1000), ("parameters", 0x1000))),
    "refused-item-beyond-the-end": vhdx(items=(("parameters", 0xFFFFFFFF), ("size", 0x1008))),
    "refused-parent": vhdx(has_parent=2, items=(("parameters", 0x1000), ("size", 0x1008),
                                                ("locator", 0x2000)),
                           locator=locator(("relative_path", "..\\base.vhdx"),
                                           ("absolute_win32_path", "C:\\vm\\base.vhdx"))),
    "refused-parent-bit-without-locator": vhdx(has_parent=2),
    "refused-locator-without-parent-bit": vhdx(items=(("parameters", 0x1000), ("size", 0x1008),
                                                      ("locator", 0x2000)),
                                               locator=locator(("relative_path", "base"))),
    "refused-locator-count": vhdx(has_parent=2, items=(("parameters", 0x1000), ("size", 0x1008),
                                                       ("locator", 0x2000)),
                                  locator=locator(count=0xFFFF)),
}

VPC = {
    "accepted-dynamic": footer(3) + dynamic(),
    "accepted-fixed": b"guest data".ljust(2048, b"\0") + footer(2),
    "accepted-fixed-of-an-odd-length": b"x" * 777 + footer(2),
    "refused-empty": b"",
    "refused-magic-only": b"conectix",
    "refused-raw": b"x" * 1024,
    "refused-fixed-footer-of-another-type": b"x" * 1024 + footer(4),
    "refused-fixed-footer-at-the-begin": footer(2) + dynamic(),
    "refused-dynamic-header-beyond-the-end": footer(3, dynamic=(1 << 64) - 1) + dynamic(),
    "refused-dynamic-header-magic": footer(3) + dynamic(magic=b"cxdense!"),
    "refused-parent": footer(4) + dynamic("base.vhd"),
    "refused-parent-with-locators": footer(4) + dynamic(
        "base.vhd", parent_locator(b"W2ku", 1536, 26) + parent_locator(b"MacX", 1562, 20)) + utf16(
            "C:\\base.vhd ") + b"file:///vm/base.vhd\0",
    "refused-locator-beyond-the-end": footer(4) + dynamic("b", parent_locator(
        b"W2ru", (1 << 64) - 8, 0xFFFFFFFF)),
}

VDI = {
    "accepted-plain": vdi(),
    "refused-empty": b"",
    "refused-signature": vdi(signature=b"\0" * 4),
    "refused-version-2": vdi(version=0x20000),
    "refused-parent": vdi(parent=bytes(range(16))),
    "refused-link": vdi(link=bytes(range(16))),
    "refused-cut": vdi()[:400],
}

PARALLELS = {
    "accepted-plain": parallels(),
    "accepted-extended": parallels(magic=b"WithouFreSpacExt"),
    "refused-magic": parallels(magic=b"WithoutFreeSpac3"),
    "refused-version-3": parallels(version=3),
    "refused-cut": parallels()[:40],
}

LUKS_VOLUMES = {
    "accepted-version-1": luks(),
    "refused-version-2": luks(version=2),
    "refused-magic": luks(magic=b"LUKS\xba\xbf"),
    "refused-cut": luks()[:100],
}

BOCHS = {
    "accepted-version-2": bochs(),
    "accepted-version-1": bochs(version=0x10000),
    "refused-magic": bochs(magic=b"Bochs Virtual HD Imagf"),
    "refused-undoable": bochs(subtype=b"Undoable"),
    "refused-version-3": bochs(version=0x30000),
    "refused-cut": bochs()[:200],
}

CLOOP = {
    "accepted-plain": cloop(),
    "accepted-without-script": cloop(script=b""),
    "refused-block-size-0": cloop(block=0),
    "refused-block-size-odd": cloop(block=1000),
    "refused-block-size-huge": cloop(block=0x80000000),
    "refused-cut": cloop()[:130],
}

DMG = {
    "accepted-trailer": b"x" * 700 + b"koly".ljust(512, b"\0"),
    "accepted-trailer-alone": b"koly".ljust(512, b"\0"),
    "refused-empty": b"",
    "refused-short": b"koly",
    "refused-without-trailer": b"koly" + b"x" * 2000,
}

PROBES = {
    "accepted-raw": b"bytes of a guest",
    "accepted-empty": b"",
    "accepted-vmdk-descriptor": b"# c\n  \r\nversion=1\r\n" + descriptor(),
    "accepted-vdi": vdi(),
    "accepted-cloop": cloop(),
    "refused-two-formats": b"KDMV".ljust(64, b" ") + b"\x7f\x10\xda\xbe",
    "refused-luks-2": luks(version=2),
    "refused-qcow-9": qcow(version=9),
}

CHAINS = {
    "accepted-vmdk-extents": members((b"top", descriptor(
        b'RW 8 FLAT "flat" 0\nRW 8 SPARSE "s001"\n')), (b"flat", b""), (b"s001", sparse())),
    "accepted-vmdk-parent": members((b"top", sparse(text=descriptor(
        parent=b"2", more=b'parentFileNameHint="base"\n'))), (b"base", sparse(text=descriptor()))),
    "accepted-image-in-an-archive": members((b"top", overlay(
        b'json:{"driver":"qed","file":{"driver":"raw","offset":4,"file.filename":"/vm/tar"}}', b"qed")),
        (b"tar", b"head" + qed())),
    "refused-extent-missing": members((b"top", descriptor(b'RW 8 FLAT "gone" 0\n'))),
    "refused-extent-is-the-descriptor": members((b"top", descriptor(b'RW 8 VMFS "top"\n'))),
    "refused-extent-twice": members((b"top", descriptor(
        b'RW 8 FLAT "flat" 0\nRW 8 FLAT "flat" 8\n')), (b"flat", b"")),
    "refused-extent-that-lists-extents": members(
        (b"top", descriptor(b'RW 8 SPARSE "s001"\n')),
        (b"s001", sparse(capacity=0, text=descriptor(b'RW 8 FLAT "flat" 0\n'))), (b"flat", b"")),
    "refused-vpc-parent": members((b"top", overlay(b"mid", b"vpc")), (b"mid", footer(4) + dynamic(
        "base"))),
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
    for target, files in {"fuzz_qcow2": QCOW2, "fuzz_qed": QED, "fuzz_qcow": QCOW,
                          "fuzz_vmdk": VMDK, "fuzz_vhdx": VHDX, "fuzz_vpc": VPC, "fuzz_vdi": VDI,
                          "fuzz_parallels": PARALLELS, "fuzz_luks": LUKS_VOLUMES,
                          "fuzz_bochs": BOCHS, "fuzz_cloop": CLOOP, "fuzz_dmg": DMG,
                          "fuzz_probe": PROBES, "fuzz_backing_name": NAMES,
                          "fuzz_chain": CHAINS}.items():
        directory = CORPUS / target
        directory.mkdir(parents=True, exist_ok=True)
        for name, content in files.items():
            (directory / name).write_bytes(content)


if __name__ == "__main__":
    main()
