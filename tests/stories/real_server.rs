//! A certified authorization server with reuse detection.
