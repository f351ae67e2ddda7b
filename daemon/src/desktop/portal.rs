//! The portal of the desktop that opens pages (`org.freedesktop.portal.OpenURI`): the person's own browser, in the person's session.

use super::bus::{Bus, Unheard};
use super::notifications::Activation;
use super::page::Page;
use super::wire::{Body, Service, Variant};

const SERVICE: Service<'_> = Service {
    name: "org.freedesktop.portal.Desktop",
    path: "/org/freedesktop/portal/desktop",
    interface: "org.freedesktop.portal.OpenURI",
};
/// There is no window that the wish comes from.
const NO_WINDOW: &str = "";

/// Opens a page, in front of the other windows where the person has just asked for it. What the portal asks the person first ends with
/// the connection.
///
/// # Errors
/// Where there is no portal, or it refuses or does not answer.
pub(super) async fn open(bus: &mut Bus, page: &Page, activation: Option<&Activation>) -> Result<(), Unheard> {
    // A portal before version 4 leaves out what it does not know.
    let activation = activation.map(|activation| ("activation_token", Variant::String(activation.as_str())));
    let body = Body::default().string(NO_WINDOW).string(page.uri()).options(activation.as_slice());
    bus.call(SERVICE, "OpenURI", &body).await.map(drop)
}
