"""FF1.Encrypt as NIST SP 800-38G, Algorithm 7 writes it: one value, big integers, floating-point free.

Independent of masking.techniques on purpose: it shares no code with what it checks. Run it to verify the samples:

    python tests/masking/techniques/plain_ff1.py
"""

from pathlib import Path

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

LETTERS = "0123456789abcdefghijklmnopqrstuvwxyz"
SAMPLES = Path(__file__).with_name("nist_sp800_38g_ff1.txt")


def samples():
    for line in SAMPLES.read_text().splitlines():
        if not line.startswith("#"):
            key, radix, tweak, plain, cipher = (part.strip() for part in line.split("|"))
            yield bytes.fromhex(key), int(radix), bytes.fromhex(tweak), plain, cipher


def prf(block, data):
    y = bytes(16)
    for j in range(0, len(data), 16):
        y = block(bytes(a ^ b for a, b in zip(y, data[j : j + 16], strict=True)))
    return y


def digits(x, radix, m):
    out = []
    for _ in range(m):
        out.append(LETTERS[x % radix])
        x //= radix
    return "".join(reversed(out))


def encrypt(key, radix, tweak, text, algorithm=algorithms.AES):
    return encrypt_with(Cipher(algorithm(key), modes.ECB()).encryptor().update, radix, tweak, text)


def encrypt_with(block, radix, tweak, text):
    n, t = len(text), len(tweak)
    u = n // 2
    v = n - u
    a, b_ = text[:u], text[u:]
    bits = 0
    while 2**bits < radix**v:
        bits += 1
    b = (bits + 7) // 8
    d = 4 * ((b + 3) // 4) + 4
    p = bytes([1, 2, 1]) + radix.to_bytes(3, "big") + bytes([10, u % 256]) + n.to_bytes(4, "big") + t.to_bytes(4, "big")
    for i in range(10):
        q = tweak + bytes((-t - b - 1) % 16) + bytes([i]) + int(b_, radix).to_bytes(b, "big")
        r = prf(block, p + q)
        s, j = r, 1
        while len(s) < d:
            s += block(bytes(x ^ y for x, y in zip(r, j.to_bytes(16, "big"), strict=True)))
            j += 1
        y = int.from_bytes(s[:d], "big")
        m = u if i % 2 == 0 else v
        c = (int(a, radix) + y) % radix**m
        a, b_ = b_, digits(c, radix, m)
    return a + b_


if __name__ == "__main__":
    for number, (key, radix, tweak, plain, cipher) in enumerate(samples(), start=1):
        assert encrypt(key, radix, tweak, plain) == cipher, number
        print(f"sample {number}: exact")
