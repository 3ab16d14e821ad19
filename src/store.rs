//! Floor 2: the only users of SQL.
