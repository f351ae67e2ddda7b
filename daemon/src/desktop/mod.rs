//! Logins that are noticed: the person's desktop is told of each that a program has begun, over D-Bus.
//!
//! A notification (`org.freedesktop.Notifications`) names the account, the page, the code and who asked, once for each login; its
//! button, and `open_browser` of `[desktop]`, open the page by the desktop's portal (`org.freedesktop.portal.OpenURI`). A login that
//! the person has begun is shown where that was done, and not here.
//!
//! A daemon that leaves takes away what it shows, as its button would be dead, and waits half a second for that at most. The next one
//! tells a login that still waits anew, five seconds after its start, also where the person has put the notice before aside; it opens
//! no page for that. A daemon that is killed takes nothing away: then one more stands there, which says the same, and the button of
//! the newest works. Killed again and again within five seconds of its start it adds none.
//!
//! What is connected is the session bus that the environment names, while a login waits and no longer. Where there is one that hangs
//! or refuses, or that is lost, a line of the log says so and nothing else changes. Where there is none, a line says so at the first
//! login that is not told, and not again before there was one: `authctl log` answers who waits for notices, and a machine without a
//! desktop is not told of it at each login. macOS has no such bus: there nothing is told, and
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
