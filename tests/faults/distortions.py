"""What a gateway may do to etcd's replies: {kind: Fault}, in groups. None of it is what etcd says, all of it is what
has been seen of proxies, or could be of a broken one."""

import base64
import gzip
import json
import re
import socket
import struct
import time

from gateway import Ended, Fault

MIB = 1 << 20


def b64(octets):
    return base64.b64encode(octets).decode()


# the text of a reply, and of each line of a watch

class Text(Fault):
    """As `change` makes of each text but /version's."""

    def __init__(self, change):
        self.change = change

    def answer(self, link, reply):
        is_ours = reply.status == 200 and reply.method != "version"
        link.answer(reply.status, self.change(reply.body) if is_ours else reply.body)

    def line(self, link, line):
        link.chunk(self.change(line))


def replace(before, after):
    return Text(lambda text: text.replace(before, after))


def pattern(before, after):
    return Text(lambda text: re.sub(before, after, text))


def number(name, value):
    """Each number of that name; etcd writes them as strings."""
    return pattern(rb'"%s":"-?\d+"' % name, b'"%s":%s' % (name, value))


def edited(change):
    """The whole as an object, which `change` alters where it lies, wherever it finds members."""
    def walk(value):
        if isinstance(value, dict):
            change(value)
        for each in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
            walk(each)

    def apply(text):
        value = json.loads(text)
        walk(value)
        return json.dumps(value).encode() + b"\n"
    return Text(apply)


def members(name, change):
    def alter(value):
        if name in value:
            value[name] = change(value[name])
    return edited(alter)


class Alternating(Fault):
    """Each second time as the fault has it."""

    def __init__(self, fault):
        self.fault, self.turn = fault, 0

    def answer(self, link, reply):
        self.turn += 1
        (self.fault if self.turn % 2 else super()).answer(link, reply)

    def line(self, link, line):
        self.turn += 1
        (self.fault if self.turn % 2 else super()).line(link, line)


def outside(key):
    return b64(b"/elsewhere" + base64.b64decode(key))


TEXTS = {
    "an empty object": Text(lambda text: b"{}"),
    "an array": Text(lambda text: b"[]"),
    "nothing": Text(lambda text: b""),
    "null": Text(lambda text: b"null"),
    "HTML": Text(lambda text: b"<html><body>Please sign in</body></html>"),
    "half": Text(lambda text: text[:len(text) // 2]),
    "but the last octet": Text(lambda text: text.rstrip()[:-1]),
    "something behind it": Text(lambda text: text + b"<!-- served by a proxy -->"),
    "itself behind it": Text(lambda text: text + text),
    "NULs in it": Text(lambda text: text[:len(text) // 2] + b"\0" * 9 + text[len(text) // 2:]),
    "NULs in its strings": pattern(rb'"(key|value)":"', rb'"\1":"\\u0000'),
    "invalid UTF-8": pattern(rb'"(key|value)":"..', b'"\\1":"\xff\xfe'),
    "invalid base64": pattern(rb'"(key|value)":"..', rb'"\1":"!*'),
    "cut base64": pattern(rb'"(key|value)":"(.)', rb'"\1":"'),
    "UTF-16": Text(lambda text: text.decode().encode("utf-16")),
    "a mark of order": Text(lambda text: b"\xef\xbb\xbf" + text),
    "a depth of 100,000": Text(lambda text: b'{"header":' + b"[" * 100000),
    "no header": replace(b'"header"', b'"heading"'),
    "two headers": pattern(rb'("header":\{[^}]*\})', rb'\1,\1'),
    "no revision": pattern(rb'"revision":"\d+",?', b""),
    "revisions that are objects": number(b"revision", b"{}"),
    "revisions that are true": number(b"revision", b"true"),
    "revisions of a half": number(b"revision", b"7.5"),
    "revisions without end": number(b"revision", b"1e999"),
    "revisions below zero": number(b"revision", b'"-7"'),
    "revisions beyond 64 bits": number(b"revision", b'"99999999999999999999"'),
    "the greatest revision": number(b"revision", b'"9223372036854775807"'),
    "a revision that goes back": number(b"revision", b'"2"'),
    "another cluster": number(b"cluster_id", b'"77"'),
    "another cluster each second time": Alternating(number(b"cluster_id", b'"77"')),
    "no member, no term": pattern(rb'"(member_id|raft_term)"', b'"x"'),
    "no keys": replace(b'"kvs"', b'"keys"'),
    "keys that are no list": members("kvs", lambda kvs: kvs[0]),
    "keys that are strings": members("kvs", lambda kvs: [kv["key"] for kv in kvs]),
    "keys that are null": members("kvs", lambda kvs: None),
    "each key twice": members("kvs", lambda kvs: [kv for kv in kvs for _ in (0, 1)]),
    "keys in the wrong order": members("kvs", lambda kvs: kvs[::-1]),
    "fewer keys than counted": members("kvs", lambda kvs: kvs[:-1]),
    "keys of elsewhere": members("key", outside),
    "two names to a key": pattern(rb'"key":"', rb'"key":"eA==","key":"'),
    "keys without a revision": pattern(rb'"mod_revision":"\d+",?', b""),
    "keys of the future": number(b"mod_revision", b'"4611686018427387904"'),
    "leases that are lists": pattern(rb'"(lease|ID)":"-?\d+"', rb'"\1":[]'),
    "TTLs beyond 64 bits": number(b"TTL", b'"99999999999999999999"'),
    "a count of nothing": pattern(rb',?"count":"\d+"', b""),
    "more that never comes": edited(lambda value: value.update(more=True) if "count" in value else None),
    "another method's": Text(lambda text: text.replace(b'"kvs"', b'"prev_kvs"').replace(b'"count"', b'"deleted"')),
}


# HTTP

class Raw(Fault):
    """Instead of each reply, a watch's, too, what `send` (link, reply) makes; to a watch the reply is None."""

    def __init__(self, send):
        self.raw = send

    def answer(self, link, reply):
        self.raw(link, reply)

    def begin(self, link):
        self.raw(link, None)
        raise Ended


def body_of(reply):
    return reply.body if reply else b'{"result":{"header":{"cluster_id":"1","revision":"9"},"created":true}}\n'


def status(code, change=lambda body: body, *lines):
    return Raw(lambda link, reply: link.answer(code, change(body_of(reply)), *lines))


def error(code, grpc, message):
    text = json.dumps({"error": message, "message": message, "code": grpc}).encode()
    return status(code, lambda body: text)


def octets(*pieces):
    """Then the connection is closed."""
    def send(link, _):
        for piece in pieces:
            link.send(piece)
        raise Ended
    return Raw(send)


def endless(head, piece, pause=0.0):
    """After the head the same piece until the client leaves; the reply's own body may be part of it."""
    def send(link, _):
        link.send(head)
        while not link.is_closed:
            link.send(piece)
            if pause:
                time.sleep(pause)
        raise Ended
    return Raw(send)


def slowly(link, reply):
    text = body_of(reply)
    link.head(f"Content-Length: {len(text) + 100000}")
    link.send(text[:1])
    while not link.is_closed:
        time.sleep(0.4)
        link.send(b" ")
    raise Ended


def reset(link, _):
    link.client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    raise Ended


def previous(link, reply):
    """Each request is answered with what the one before on its connection was due."""
    last = link.previous
    text = last.body if last else b"{}"
    link.answer(last.status if last else 200, text if reply else text + b"\n")


def twice(link, reply):
    text = body_of(reply)
    link.answer(200, text)
    link.answer(200, text)


def informed(link, reply):
    for _ in range(200):
        link.head("Link: </x>", status="103 Early Hints")
    link.answer(200, body_of(reply))


def silent(link, _):
    while not link.is_closed:
        time.sleep(0.2)
    raise Ended


HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
CHUNKED = HEAD + b"Transfer-Encoding: chunked\r\n\r\n"
LONG = HEAD + b"Content-Length: 1000000000000\r\n\r\n"
PAGE = b'{"header":{"cluster_id":"1","member_id":"1","revision":"9","raft_term":"2"},'
KV = b'{"key":"L2E=","mod_revision":"2","value":"eA=="},'

HTTP = {
    "500 with the right body": status(500),
    "404 with the right body": status(404),
    "204": Raw(lambda link, reply: link.head(status="204 No Content")),
    "a redirect to itself": status(307, lambda body: b"", "Location: /version"),
    "a redirect to a file": status(302, lambda body: b"", "Location: file:///etc/passwd"),
    "a proxy's login": status(407, lambda body: b"<html>", "Proxy-Authenticate: Basic realm=x"),
    "401 of another kind": status(401, lambda body: b"<html>", "WWW-Authenticate: Basic realm=x"),
    "200 with an error": error(200, 14, "etcdserver: no leader"),
    "an internal error": error(500, 13, "internal"),
    "no such lease": error(404, 5, "etcdserver: requested lease not found"),
    "all is compacted": error(400, 11, "etcdserver: mvcc: required revision has been compacted"),
    "nothing is permitted": error(403, 7, "etcdserver: permission denied"),
    "too many requests": error(429, 8, "etcdserver: too many requests"),
    "authentication is wanted": error(400, 3, "etcdserver: user name is empty"),
    "an error of 100 kB": error(503, 14, "x" * 100000),
    "early hints before it": Raw(informed),
    "early hints without end": endless(b"", b"HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n" * 1000),
    "gzip unasked": status(200, gzip.compress, "Content-Encoding: gzip"),
    "chunks of no size": octets(CHUNKED, b"size\r\n{}\r\n0\r\n\r\n"),
    "chunks of 16 EiB": octets(CHUNKED, b"ffffffffffffffff\r\n{}"),
    "a chunk cut short": octets(CHUNKED, b"ff\r\n{}"),
    "no last chunk": octets(CHUNKED, b"2\r\n{}\r\n"),
    "a length too long": Raw(lambda link, reply: octets(LONG, body_of(reply)).raw(link, reply)),
    "a length too short": Raw(lambda link, reply: octets(HEAD + b"Content-Length: 9\r\n\r\n", body_of(reply)).raw(link, reply)),
    "a length below zero": octets(HEAD + b"Content-Length: -1\r\n\r\n{}"),
    "two lengths": octets(HEAD + b"Content-Length: 2\r\nContent-Length: 999\r\n\r\n{}"),
    "HTTP/0.9": octets(b"{}"),
    "HTTP/9.9": octets(b"HTTP/9.9 200 OK\r\nContent-Length: 2\r\n\r\n{}"),
    "SSH": octets(b"SSH-2.0-OpenSSH_9.2\r\n"),
    "headers without end": endless(HEAD, b"X-Filler: 0123456789abcdef\r\n" * 2000),
    "a header without end": endless(HEAD + b"X-Filler: ", b"x" * 65536),
    "closed at once": octets(),
    "closed amid the headers": octets(HEAD),
    "closed behind the headers": octets(LONG),
    "reset": Raw(reset),
    "silence": Raw(silent),
    "headers slowly": endless(HEAD + b"X-Filler: ", b"x", 0.4),
    "a body slowly": Raw(slowly),
    "another request's": Raw(previous),
    "each twice": Raw(twice),
    "a body without end": endless(LONG, b"x" * 65536),
    "an error without end": endless(b"HTTP/1.1 503 Busy\r\nContent-Length: 1000000000000\r\n\r\n", b"x" * 65536),
    "blanks without end": endless(LONG + PAGE + b'"kvs":[', b" " * 65536),
    "a value without end": endless(LONG + PAGE + b'"kvs":[{"key":"L2E=","mod_revision":"2","value":"', b"AAAA" * 16384),
    "a key without end": endless(LONG + PAGE + b'"kvs":[{"key":"', b"AAAA" * 16384),
    "a key again and again": endless(LONG + PAGE + b'"kvs":[', KV * 1000),
    "a line of 100 MB": Raw(lambda link, reply: octets(LONG, PAGE + b'"x":"', *[b"x" * MIB] * 100).raw(link, reply)),
}


# the lines of a watch

class Lines(Fault):
    """Of the watches each line as `send` (link, line, object) has it; all else passes."""

    def __init__(self, send):
        self.send = send

    def line(self, link, line):
        self.send(link, line, json.loads(line))


def line_text(change):
    return Lines(lambda link, line, _: link.chunk(change(line)))


def line_change(change):
    """`change` alters "result"."""
    def send(link, line, value):
        if "result" in value:
            change(value["result"])
            line = json.dumps(value).encode() + b"\n"
        link.chunk(line)
    return Lines(send)


def events(change):
    """`change` (events) gives others."""
    def alter(result):
        if "events" in result:
            result["events"] = change(result["events"])
    return line_change(alter)


def with_old_first(old):
    """An event of long ago before each."""
    def change(found):
        kv = found[0]["kv"]
        return [{"kv": {**kv, "mod_revision": old, "create_revision": old}}, *found]
    return change


def instead(text, is_end=False):
    """In the place of the first line that tells something."""
    def send(link, line, value):
        if value.get("result", {}).get("created"):
            link.chunk(line)
            return
        link.chunk(text)
        if is_end:
            raise Ended
    return Lines(send)


def at_once(text):
    """Behind the line that says it is created."""
    def send(link, line, _):
        link.chunk(line)
        link.chunk(text)
    return Lines(send)


def amid(piece, pause):
    """Half of a line with events, and then that again and again."""
    def send(link, line, value):
        if "events" not in value.get("result", {}):
            link.chunk(line)
            return
        link.chunk(line[:line.index(b'"events":[') + 10] if b'"events":[' in line else line[:len(line) // 2])
        while not link.is_closed:
            if piece:
                link.chunk(piece)
            time.sleep(pause)
        raise Ended
    return Lines(send)


def between(link, line, _):
    """Blanks behind the first line: the connection lives, and says nothing."""
    link.chunk(line)
    while not link.is_closed:
        link.chunk(b"\n")
        time.sleep(0.2)
    raise Ended


def closed(link, line, _):
    link.chunk(line)
    raise Ended


def result(**members_of):
    return json.dumps({"result": {"header": {"cluster_id": "1", "member_id": "1", "revision": "9", "raft_term": "2"},
                                  **members_of}}).encode() + b"\n"


def no_event_is_put(found):
    return [{**event, "type": "RENAME"} for event in found]


def bare(found):
    return [{"type": event.get("type", "PUT")} for event in found]


def deletes(found):
    """Of a deletion that is none, the kv is still whole."""
    return [{**event, "type": 1.5} for event in found]


WATCHES = {
    "not created": line_change(lambda value: value.pop("created", None)),
    "created again and again": line_change(lambda value: value.update(created=True)),
    "each event twice": events(lambda found: [event for event in found for _ in (0, 1)]),
    "each line twice": Lines(lambda link, line, value: [link.chunk(line) for _ in range(1 + ("events" in line.decode()))]),
    "events in the wrong order": events(lambda found: [*found, {"kv": {**found[-1]["kv"], "mod_revision": "2"}}]),
    "events of old": events(with_old_first("2")),
    "events of revision 0": events(with_old_first("0")),
    "events of elsewhere": events(lambda found: [{"kv": {**e["kv"], "key": outside(e["kv"]["key"])}} for e in found]),
    "events of no kind": events(no_event_is_put),
    "events of kind 1.5": events(deletes),
    "events of nothing": events(bare),
    "events that are null": events(lambda found: [None]),
    "events that are one": events(lambda found: found[0]),
    "a line older than its events": line_change(lambda value: value["header"].update(revision="1")),
    "a line of another cluster": at_once(result(watch_id="7", created=True)),
    "cancelled": at_once(result(canceled=True)),
    "cancelled for want of a token": at_once(result(
        canceled=True, cancel_reason="rpc error: code = Unauthenticated desc = etcdserver: invalid auth token")),
    "cancelled for want of permission": at_once(result(
        canceled=True, cancel_reason="rpc error: code = PermissionDenied desc = etcdserver: permission denied")),
    "cancelled as compacted": at_once(result(canceled=True, compact_revision="99")),
    "an error": at_once(b'{"error":{"grpc_code":14,"http_code":503,"message":"etcdserver: no leader"}}'),
    "a string": at_once(b'"the watch has moved"\n'),
    "a put's reply": instead(b'{"header":{"cluster_id":"1","revision":"9"}}\n'),
    "half a line": amid(None, 0.2),
    "half a line, then a blank now and then": amid(b" ", 0.3),
    "blanks now and then": Lines(between),
    "half a line without end": amid(b" " * 65536, 0.001),
    "half an event without end": amid(b'{"kv":{"value":"' + b"A" * 65536, 0.001),
    "closed behind its first line": Lines(closed),
    "lines without ends": line_text(lambda line: line.rstrip()),
    "pretty lines": line_text(lambda line: json.dumps(json.loads(line), indent=4).encode()),
}
