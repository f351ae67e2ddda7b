//! Logins that are noticed: the person's desktop is told of each that a program has begun, over D-Bus.
//!
//! A notification (`org.freedesktop.Notifications`) names the account, the page, the code and who asked, once for each login, also over
//! restarts; its button, and `open_browser` of `[desktop]`, open the page by the desktop's portal (`org.freedesktop.portal.OpenURI`).
//! A login that the person has begun is shown where that was done, and not here.
//!
//! What is connected is the session bus that the environment names, while a login waits and no longer. Where there is none, or one
//! that hangs or refuses, a line of the log says so and nothing else changes. macOS has no such bus: there nothing is told, and
//! `authctl status` shows the logins that wait.
//!
//! Must never: see a token or a secret, start a program or a bus, hold anybody up, open anything but the page of a login (D33), or
//! let the words of a server or of a program become markup.

mod address;
mod attendant;
mod bus;
mod notice;
mod notifications;
mod page;
mod portal;
mod session;
mod told;
mod wire;

pub use attendant::attend;
