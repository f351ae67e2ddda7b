//! A store that cannot save, and what lies on the disk.
