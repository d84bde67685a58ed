"""The exact minimum of an evasion under the contract, with a certificate."""
