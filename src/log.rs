//! Floor 1: pure cryptography.
