//! Who is served, and by whom.
