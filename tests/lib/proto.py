"""The protobuf wire format by hand: what a foreign client sends and sees, without generated code.

A message is a dictionary of field number -> list of values; ints are varints (int64: two's
complement), str and bytes are length-delimited.
"""

_64 = (1 << 64) - 1


def _varint(value):
    value &= _64
    out = bytearray()
    while value > 127:
        out.append(value & 127 | 128)
        value >>= 7
    out.append(value)
    return bytes(out)


def encode(fields):
    """The bytes of {number: value or list of values}; ints of 0 are written too."""
    out = b""
    for number, values in fields.items():
        for value in values if isinstance(values, list) else [values]:
            if isinstance(value, int):
                out += _varint(number << 3) + _varint(value)
            else:
                data = value.encode() if isinstance(value, str) else value
                out += _varint(number << 3 | 2) + _varint(len(data)) + data
    return out


def _read_varint(data, at):
    value = shift = 0
    while True:
        byte = data[at]
        at += 1
        value |= (byte & 127) << shift
        shift += 7
        if byte < 128:
            return value, at


def decode(data):
    """{number: [values]}: ints unsigned, everything else bytes."""
    fields, at = {}, 0
    while at < len(data):
        key, at = _read_varint(data, at)
        if key & 7 == 0:
            value, at = _read_varint(data, at)
        else:
            assert key & 7 == 2, f"wire type {key & 7} is not in our messages"
            size, at = _read_varint(data, at)
            assert at + size <= len(data), "cut short"
            value, at = data[at : at + size], at + size
        fields.setdefault(key >> 3, []).append(value)
    return fields


def signed(value):
    """An unsigned varint as the int64 it stands for."""
    return value - (1 << 64) if value >> 63 else value
