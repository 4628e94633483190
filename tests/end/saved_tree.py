"""What stands in --state-dir, read and checked by other means than the program's: Python's SQLite, and a SipHash of its
own."""

import os
import shutil
import sqlite3
import struct

FILE = "registry.db"
_MASK = (1 << 64) - 1


def _rotate(word, bits):
    return ((word << bits) | (word >> (64 - bits))) & _MASK


def _round(v):
    v[0] = (v[0] + v[1]) & _MASK
    v[2] = (v[2] + v[3]) & _MASK
    v[1] = _rotate(v[1], 13) ^ v[0]
    v[3] = _rotate(v[3], 16) ^ v[2]
    v[0] = _rotate(v[0], 32)
    v[2] = (v[2] + v[1]) & _MASK
    v[0] = (v[0] + v[3]) & _MASK
    v[1] = _rotate(v[1], 17) ^ v[2]
    v[3] = _rotate(v[3], 21) ^ v[0]
    v[2] = _rotate(v[2], 32)


def siphash(first, second, octets):
    """SipHash-2-4 (Aumasson, Bernstein) under a key of two words."""
    v = [first ^ 0x736F6D6570736575, second ^ 0x646F72616E646F6D, first ^ 0x6C7967656E657261, second ^ 0x7465646279746573]
    whole = len(octets) - len(octets) % 8
    last = octets[whole:].ljust(7, b"\0") + bytes([len(octets) & 0xFF])
    for word in (*struct.unpack(f"<{whole // 8}Q", octets[:whole]), *struct.unpack("<Q", last)):
        v[3] ^= word
        _round(v)
        _round(v)
        v[0] ^= word
    v[2] ^= 0xFF
    for _ in range(4):
        _round(v)
    return v[0] ^ v[1] ^ v[2] ^ v[3]


def row_sum(key, value, lease, revision):
    first = siphash(0, 0, key)
    return siphash(first, siphash(first, 0, value), struct.pack("<qq", lease, revision))


def head_sum(root, revision, cluster, serial, contact, keys, total):
    return siphash(0, 0, struct.pack("<qqqqqqQ", revision, cluster, serial, contact, keys, total, siphash(0, 0, root)))


def _signed(number):
    return number - (1 << 64) if number >> 63 else number


class SavedTree:
    """A copy of the directory as it is now, as a process finds it that is started after a crash. All of it is checked."""

    def __init__(self, state_dir, scratch):
        shutil.rmtree(scratch, ignore_errors=True)
        os.makedirs(scratch)
        for name in (FILE, FILE + "-wal"):
            if os.path.exists(os.path.join(state_dir, name)):
                shutil.copyfile(os.path.join(state_dir, name), os.path.join(scratch, name))
        database = sqlite3.connect(os.path.join(scratch, FILE))
        assert database.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        (version, version_sum), = database.execute("SELECT version, sum FROM format").fetchall()
        assert version == 1 and version_sum == _signed(siphash(0, 0, struct.pack("<q", 1)))
        head, = database.execute("SELECT root, revision, cluster, serial, contact, keys, total, sum FROM head").fetchall()
        assert head[-1] == _signed(head_sum(*head[:-1]))
        self.root, self.revision, self.cluster, self.serial, self.contact, keys, total, _ = head
        self.rows = {}
        sums = 0
        for key, check, lease, revision, value in database.execute("SELECT key, sum, lease, revision, value FROM entry"):
            assert check == _signed(row_sum(key, value, lease, revision)), key
            self.rows[key] = (value, lease, revision)
            sums += check
        assert len(self.rows) == keys and _signed(sums & _MASK) == total
        database.close()


def rewrite_head(state_dir, **changes):
    """Say something else of the copy that no process has open; with a checksum that fits."""
    columns = ("root", "revision", "cluster", "serial", "contact", "keys", "total")
    with sqlite3.connect(os.path.join(state_dir, FILE)) as database:
        head = dict(zip(columns, database.execute(f"SELECT {', '.join(columns)} FROM head").fetchone()))
        head.update(changes)
        values = [head[column] for column in columns]
        database.execute(f"UPDATE head SET {', '.join(column + ' = ?' for column in columns)}, sum = ?",
                         (*values, _signed(head_sum(*values))))
    database.close()


def rewrite_format(state_dir, version):
    with sqlite3.connect(os.path.join(state_dir, FILE)) as database:
        database.execute("UPDATE format SET version = ?, sum = ?",
                         (version, _signed(siphash(0, 0, struct.pack("<q", version)))))
    database.close()
