//! One struct of settings: defaults, then the file, then the environment, then flags.
