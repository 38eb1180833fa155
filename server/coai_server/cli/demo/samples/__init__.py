"""Files that `coai demo` completes code in; `samples.toml` says where."""
