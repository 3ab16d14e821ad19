//! Floor 4: the face for machines.
