"""Damage whose checksums are right, and bits that flip: whether the reader finds what it must."""
