"""SM3 as GB/T 32905-2016 writes it, and HMAC as RFC 2104 does: words of 32 bits, no library.

Independent of masking.techniques and of the hash library on purpose. Run it to verify the standard's vectors:

    python tests/masking/techniques/plain_sm3.py
"""

from pathlib import Path

VECTORS = Path(__file__).with_name("gbt32905_sm3.txt")
IV = (0x7380166F, 0x4914B2B9, 0x172442D7, 0xDA8A0600, 0xA96F30BC, 0x163138AA, 0xE38DEE4D, 0xB0FB0E4E)  # 4.1
ALL = 0xFFFFFFFF


def vectors():
    for line in VECTORS.read_text().splitlines():
        if not line.startswith("#"):
            message, digest = (part.strip() for part in line.split("|"))
            yield bytes.fromhex(message), bytes.fromhex(digest)


def rotated(word, bits):
    bits %= 32
    return (word << bits | word >> (32 - bits)) & ALL


def p0(x):  # 4.4
    return x ^ rotated(x, 9) ^ rotated(x, 17)


def p1(x):
    return x ^ rotated(x, 15) ^ rotated(x, 23)


def compressed(v, block):
    w = [int.from_bytes(block[i : i + 4], "big") for i in range(0, 64, 4)]  # 5.3.2
    for j in range(16, 68):
        w.append(p1(w[j - 16] ^ w[j - 9] ^ rotated(w[j - 3], 15)) ^ rotated(w[j - 13], 7) ^ w[j - 6])
    a, b, c, d, e, f, g, h = v  # 5.3.3
    for j in range(64):
        t = 0x79CC4519 if j < 16 else 0x7A879D8A  # 4.2
        ss1 = rotated((rotated(a, 12) + e + rotated(t, j)) & ALL, 7)
        ss2 = ss1 ^ rotated(a, 12)
        ff = a ^ b ^ c if j < 16 else a & b | a & c | b & c  # 4.3
        gg = e ^ f ^ g if j < 16 else e & f | ~e & g
        tt1 = (ff + d + ss2 + (w[j] ^ w[j + 4])) & ALL
        tt2 = (gg + h + ss1 + w[j]) & ALL
        a, b, c, d, e, f, g, h = tt1, a, rotated(b, 9), c, p0(tt2), e, rotated(f, 19), g
    return tuple(x ^ y for x, y in zip(v, (a, b, c, d, e, f, g, h), strict=True))


def sm3(message):
    padded = message + b"\x80" + bytes((55 - len(message)) % 64) + (8 * len(message)).to_bytes(8, "big")  # 5.2
    v = IV
    for i in range(0, len(padded), 64):
        v = compressed(v, padded[i : i + 64])
    return b"".join(word.to_bytes(4, "big") for word in v)


def hmac_sm3(key, message):
    key = key.ljust(64, b"\0")
    inner = sm3(bytes(byte ^ 0x36 for byte in key) + message)
    return sm3(bytes(byte ^ 0x5C for byte in key) + inner)


if __name__ == "__main__":
    for number, (message, digest) in enumerate(vectors(), start=1):
        assert sm3(message) == digest, number
        print(f"example {number}: exact")
