"""`coai audit`: what is wrong in files, for people and for CI."""
