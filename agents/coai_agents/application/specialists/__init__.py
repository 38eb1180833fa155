"""What specialists do, for every door: sources and wishes in, reports and checked changes out."""
