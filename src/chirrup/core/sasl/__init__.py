"""SASL, sans I/O: a file a mechanism, with the server's half and the client's in it (RFC 4422, RFC 6120 §6).

A server gives each message of the client to `ServerMechanism.step` and does what the returned step says; a client
sends what `ClientMechanism` returns. Nonces are made by the caller; base64 is put on and taken off by
`encode_base64` and `decode_base64`.
"""

from chirrup.core.sasl.base import (
    Challenge,
    ClientMechanism,
    NeedIdentity,
    NeedKeys,
    NeedPassword,
    ServerMechanism,
    Step,
    Success,
)
from chirrup.core.sasl.encoding import decode_base64, encode_base64
from chirrup.core.sasl.keys import (
    SALT_OCTETS,
    ScramKeys,
    decoy_keys,
    derive_keys,
    keys_match,
    prepare_password,
)
from chirrup.core.sasl.mechanisms import MECHANISMS, CredentialKind, choose, client_mechanism, server_mechanism
from chirrup.core.sasl.scram import MAX_ITERATIONS, MIN_ITERATIONS, SaltedPasswords

__all__ = [
    "MAX_ITERATIONS",
    "MECHANISMS",
    "MIN_ITERATIONS",
    "SALT_OCTETS",
    "Challenge",
    "ClientMechanism",
    "CredentialKind",
    "NeedIdentity",
    "NeedKeys",
    "NeedPassword",
    "SaltedPasswords",
    "ScramKeys",
    "ServerMechanism",
    "Step",
    "Success",
    "choose",
    "client_mechanism",
    "decode_base64",
    "decoy_keys",
    "derive_keys",
    "encode_base64",
    "keys_match",
    "prepare_password",
    "server_mechanism",
]
