//! holdings
