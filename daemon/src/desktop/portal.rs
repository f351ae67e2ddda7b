//! The portal of the desktop that opens pages (`org.freedesktop.portal.OpenURI`): the person's own browser, in the person's session.

use super::bus::{Bus, Unheard};
use super::page::Page;
use super::wire::{Body, Service};

const SERVICE: Service<'_> = Service {
    name: "org.freedesktop.portal.Desktop",
    path: "/org/freedesktop/portal/desktop",
    interface: "org.freedesktop.portal.OpenURI",
};
/// There is no window that the wish comes from.
const NO_WINDOW: &str = "";

/// Opens a page. What the portal asks the person first ends with the connection.
///
/// # Errors
/// Where there is no portal, or it refuses or does not answer.
pub(super) async fn open(bus: &mut Bus, page: &Page) -> Result<(), Unheard> {
    bus.call(SERVICE, "OpenURI", &Body::default().string(NO_WINDOW).string(page.uri()).options(&[])).await.map(drop)
}
