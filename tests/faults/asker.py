"""Asks servers without a pause while things break, and judges the answers afterwards."""

import random
import threading
import time

from dns_client import Reply, opt, query_wire, question
from model import ORDINARY_S
from process import PATIENCE, wait_until

PAUSE_S = 0.01
TIMEOUT_S = 2.0  # an answer of a healthy server takes far less than a millisecond
TCP_EVERY = 20
SERVFAIL = 2


class Answer:
    """What a server said to a question, or None for nothing at all."""

    def __init__(self, server, asked, sent, received, reply):
        self.server, self.asked, self.sent, self.received = server, asked, sent, received
        self.rcode = reply and reply.rcode
        self.ede = reply and reply.ede
        self.said = asked.read(reply) if reply else []

    @property
    def is_answer(self):
        return self.rcode in (0, 3)

    def __repr__(self):
        return f"{self.asked} rcode {self.rcode} ede {self.ede} {[value for _, value in self.said]}"


class Asker(threading.Thread):
    """Each question of the model in turn to each server, over UDP and now and then over TCP."""

    def __init__(self, model, *servers):
        super().__init__(daemon=True)
        self.model, self.servers = model, servers
        self.answers = []
        self.error = None
        self._is_over = threading.Event()

    @property
    def count(self):
        return len(self.answers)

    def run(self):
        try:
            while not self._is_over.is_set():
                for asked in self.model.questions():
                    for server in self.servers:
                        self._ask(server, asked)
                        if self._is_over.wait(PAUSE_S):
                            return
        except Exception as error:  # pylint: disable=broad-except
            self.error = error

    def _ask(self, server, asked):
        wire = query_wire(question(asked.wire_name, asked.rdtype), additional=[opt(1232)],
                          identity=random.randrange(65536))
        sent = time.monotonic()
        reply = None
        try:
            raw = (server.dns.tcp if self.count % TCP_EVERY == 0 else server.dns.udp)(wire, TIMEOUT_S)
            if raw and Reply(raw).is_truncated:
                raw = server.dns.tcp(wire, TIMEOUT_S)
            reply = raw and Reply(raw)
        except OSError:
            pass  # as no answer
        self.answers.append(Answer(server, asked, sent, time.monotonic(), reply))

    def stop(self):
        self._is_over.set()
        if self.is_alive():
            self.join(4 * TIMEOUT_S * PATIENCE)
        assert self.error is None, self.error

    def wrong(self, answer, within_s):
        if answer.is_answer:
            return self.model.judge(answer.asked, answer.said, answer.sent, answer.received, within_s)
        return [("answered", f"{answer.asked}: " + ("nothing" if answer.rcode is None else f"rcode {answer.rcode}"))]

    def faults(self, within_s):
        """All that is wrong with all answers: [(invariant, text)]."""
        start = self.answers[0].sent if self.answers else 0
        return [(invariant, f"{answer.sent - start:.2f} s: {text}")
                for answer in self.answers for invariant, text in self.wrong(answer, within_s)]

    def recovery(self, since):
        """Seconds from `since` to the last answer that was not as etcd held it, before a second without such; 0: none was."""
        end = since
        for answer in self.answers:
            if answer.sent > end + 1 * PATIENCE:
                break
            if answer.sent >= since and self._is_late(answer):
                end = answer.received
        return end - since

    def _is_late(self, answer):
        begin = answer.sent - ORDINARY_S
        return not answer.is_answer or any(
            not {value for owner, value in answer.said if owner is key} <= (possible := key.possible(begin, answer.received))
            or (None not in possible and not any(owner is key for owner, _ in answer.said))
            for key in answer.asked.keys)

    def wait_right(self, timeout=30):
        """Until every question, to every server, has been answered as etcd holds it now, and not as stale."""
        start = time.monotonic()
        missing = []
        wanted = {(repr(asked), server) for asked in self.model.questions() for server in self.servers}

        def look():
            assert self.error is None, self.error
            latest = {}
            for answer in reversed(self.answers[-4 * len(wanted):]):
                if answer.sent < start:
                    break
                latest.setdefault((repr(answer.asked), answer.server), answer)
            missing[:] = [*(wanted - set(latest)), *(
                (answer, self.wrong(answer, ORDINARY_S)) for answer in latest.values()
                if answer.ede is not None or self._is_late(answer))]
            return not missing
        try:
            wait_until(look, timeout)
        except AssertionError:
            raise AssertionError(f"not all answers are right within {timeout} s: {missing[:3]}") from None

    def wait_stale(self, timeout=30):
        """Until every server says that what it answers is stale."""
        start = time.monotonic()
        wait_until(lambda: {answer.server for answer in self.answers if answer.sent >= start and answer.ede == 3}
                   >= set(self.servers), timeout, "answers are stale")

    def wait_asked(self, count=50, timeout=30):
        """For that many answers more."""
        before = self.count
        wait_until(lambda: self.count >= before + count, timeout, "answers")
