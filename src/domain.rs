//! Floor 0: words and rules, without I/O.
