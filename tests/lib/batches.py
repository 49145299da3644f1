"""Record batches made by hand, and damaged ones among them: a client library makes only whole ones.

A batch, as https://kafka.apache.org/documentation/#recordbatch has it:

    offset 8 | length 4 | epoch 4 | magic 1 | CRC 4 | attributes 2 ... count 4 | records
                                                      `------ under the CRC ----------'
"""

import struct

from lib.request import ask, text

GZIP, NO_CODEC = 1, 7
_PRODUCE, _CASTAGNOLI = 0, 0x82F63B78


def _varint(number):
    number = number << 1 ^ number >> 63
    out = bytearray()
    while number > 127:
        out.append(number & 127 | 128)
        number >>= 7
    return bytes(out) + bytes([number])


def _crc32c(data):
    crc = 0xFFFFFFFF
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (_CASTAGNOLI if crc & 1 else 0)
    return crc ^ 0xFFFFFFFF


def _record(number, value):
    body = b"\0" + _varint(0) + _varint(number) + _varint(-1)
    body += _varint(len(value)) + value + _varint(0)
    return _varint(len(body)) + body


def batch(*values, codec=0, records=None):
    """A batch of these messages, its checksum right. records: what stands there in their place."""
    if records is None:
        records = b"".join(_record(n, value) for n, value in enumerate(values))
    checked = struct.pack(">hiqq", codec, len(values) - 1, 1, 1)
    checked += struct.pack(">qhii", -1, -1, -1, len(values)) + records
    rest = struct.pack(">ibI", 0, 2, _crc32c(checked)) + checked
    return struct.pack(">qi", 0, len(rest)) + rest


def append(brokers, topic, data, partition=0):
    """Append a batch as it is; its offset."""
    body = struct.pack(">hhii", -1, -1, 5000, 1) + text(topic)
    body += struct.pack(">iii", 1, partition, len(data)) + data
    answer = ask(brokers, _PRODUCE, 3, body)
    assert (answer.take("i"), answer.text(), answer.take("i")) == (1, topic, 1)
    number, error, offset = answer.take("i"), answer.take("h"), answer.take("q")
    assert (number, error) == (partition, 0), f"the broker's error {error}"
    return offset
