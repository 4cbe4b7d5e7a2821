"""SM4 as GB/T 32907-2016 writes it: one block, words of 32 bits, no library.

Independent of masking.techniques and of the cipher library on purpose: it is what SM4-FF1 is checked by. Run it to
verify the standard's vectors:

    python tests/masking/techniques/plain_sm4.py
"""

from pathlib import Path

VECTORS = Path(__file__).with_name("gbt32907_sm4.txt")

# 6.2.1: the table of the S box, row by row.
SBOX = bytes.fromhex(
    "d690e9fecce13db716b614c228fb2c052b679a762abe04c3aa44132649860699"
    "9c4250f491ef987a33540b43edcfac62e4b31ca9c908e89580df94fa758f3fa6"
    "4707a7fcf37317ba83593c19e6854fa8686b81b27164da8bf8eb0f4b70569d35"
    "1e240e5e6358d1a225227c3b01217887d40046579fd327524c3602e7a0c4c89e"
    "eabf8ad240c738b5a3f7f2cef96115a1e0ae5da49b341a55ad933230f58cb1e3"
    "1df6e22e8266ca60c02923ab0d534e6fd5db3745defd8e2f03ff6a726d6c5b51"
    "8d1baf92bbddbc7f11d95c411f105ad80ac13188a5cd7bbd2d74d012b8e5b4b0"
    "8969974a0c96777e65b9f109c56ec68418f07dec3adc4d2079ee5f3ed7cb3948"
)
FK = (0xA3B1BAC6, 0x56AA3350, 0x677D9197, 0xB27022DC)  # 7.3
CK = tuple(int.from_bytes(bytes((4 * i + j) * 7 % 256 for j in range(4)), "big") for i in range(32))  # 7.3


def vectors():
    for line in VECTORS.read_text().splitlines():
        if not line.startswith("#"):
            key, times, plain, cipher = (part.strip() for part in line.split("|"))
            yield bytes.fromhex(key), int(times), bytes.fromhex(plain), bytes.fromhex(cipher)


def rotated(word, bits):
    return (word << bits | word >> (32 - bits)) & 0xFFFFFFFF


def tau(word):
    return int.from_bytes(bytes(SBOX[byte] for byte in word.to_bytes(4, "big")), "big")


def round_keys(key):
    k = [word ^ fk for word, fk in zip(words_of(key), FK, strict=True)]
    for ck in CK:
        b = tau(k[-3] ^ k[-2] ^ k[-1] ^ ck)
        k.append(k[-4] ^ b ^ rotated(b, 13) ^ rotated(b, 23))
    return k[4:]


def words_of(block):
    return [int.from_bytes(block[place : place + 4], "big") for place in range(0, 16, 4)]


def encrypt_block(keys, block):
    x = words_of(block)
    for key in keys:
        b = tau(x[-3] ^ x[-2] ^ x[-1] ^ key)
        x.append(x[-4] ^ b ^ rotated(b, 2) ^ rotated(b, 10) ^ rotated(b, 18) ^ rotated(b, 24))
    return b"".join(word.to_bytes(4, "big") for word in reversed(x[-4:]))


def encrypt(key, block, times=1):
    keys = round_keys(key)
    for _ in range(times):
        block = encrypt_block(keys, block)
    return block


if __name__ == "__main__":
    for key, times, plain, cipher in vectors():
        if times == 1:
            assert encrypt(key, plain) == cipher
            print("encrypted once: exact")
