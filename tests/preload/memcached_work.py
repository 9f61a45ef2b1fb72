"""Client of the memcached test: stores known values over eight connections, reads all back."""
import hashlib
import random
import socket
import sys
import threading

CLIENTS, KEYS, BATCH = 8, 6000, 100
problems = []


class Client:
    def __init__(self, path):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.connect(path)
        self.file = self.sock.makefile("rb", buffering=1 << 20)

    def store(self, command, items):
        self.sock.sendall(b"".join(b"%s %s 7 0 %d\r\n%s\r\n" % (command, k, len(v), v)
                                   for k, v in items))
        for _ in items:
            self.expect(b"STORED\r\n")

    def expect(self, *answers):
        line = self.file.readline()
        if line not in answers:
            problems.append("wanted %r, got %r" % (answers, line[:80]))
            raise SystemExit(1)

    def command(self, text):
        self.sock.sendall(text + b"\r\n")
        return self.file.readline()

    def get(self, keys):
        self.sock.sendall(b"get " + b" ".join(keys) + b"\r\n")
        found = {}
        while True:
            line = self.file.readline().split()
            if line == [b"END"]:
                return found
            if len(line) != 4 or line[0] != b"VALUE":
                problems.append("unexpected answer %r" % line)
                raise SystemExit(1)
            found[line[1]] = self.file.read(int(line[3]))
            self.file.read(2)


def work(path, n, expected):
    rnd, client, mine = random.Random(n), Client(path), {}

    def value(i):
        if i % 500 == 0:
            size = rnd.randrange(100000, 3000000)
        else:
            size = int(2 ** rnd.uniform(0, 12))
        return (b"%d-%d." % (n, i)) * (size // 8 + 1)

    for turn in range(2):
        for start in range(0, KEYS, BATCH):
            items = [(b"k%d.%d" % (n, i), value(i)) for i in range(start, start + BATCH)
                     if turn == 0 or i % 3 == 0]
            client.store(b"set", items)
            mine.update(items)
            more = [(k, b"+more%d" % turn) for k, v in items[::7] if len(v) < 5000]
            client.store(b"append", more)
            for k, v in more:
                mine[k] += v
    for i in range(5, KEYS, 11):
        if client.command(b"delete k%d.%d" % (n, i)) != b"DELETED\r\n":
            problems.append("delete failed")
        del mine[b"k%d.%d" % (n, i)]
    client.store(b"set", [(b"count%d" % n, b"100")])
    for i in range(500):
        client.command(b"incr count%d %d" % (n, i))
    mine[b"count%d" % n] = b"%d" % (100 + sum(range(500)))
    expected[n] = mine


def main():
    path, expected = sys.argv[1], {}
    threads = [threading.Thread(target=work, args=(path, n, expected)) for n in range(CLIENTS)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    if problems:
        sys.exit(problems[0])
    client, digest, total = Client(path), hashlib.sha256(), 0
    for n in range(CLIENTS):
        keys = sorted(expected[n]) + [b"k%d.5" % n]
        for start in range(0, len(keys), BATCH):
            found = client.get(keys[start:start + BATCH])
            for key in keys[start:start + BATCH]:
                if found.get(key) != expected[n].get(key):
                    sys.exit("%r: read %r..." % (key, (found.get(key) or b"nothing")[:60]))
                digest.update(key + found.get(key, b""))
                total += key in found
    print("read", total, digest.hexdigest())
    client.sock.sendall(b"stats\r\n")
    for line in iter(client.file.readline, b"END\r\n"):
        name, value = line.split()[1:3]
        if name in (b"curr_items", b"evictions", b"bytes", b"threads", b"total_items"):
            print(name.decode(), value.decode())


main()
