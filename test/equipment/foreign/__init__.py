"""A repository, read and written by docs/format.md alone: no code of Rouse is used, and none was looked at."""
