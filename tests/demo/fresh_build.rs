//! Makes sure that mcp-authd and authctl are built, in the profile of the demo itself; where everybody can see it.

use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context as _, Result, ensure};

/// Builds them. Does nothing where `MCP_AUTHD_TEST_BIN_DIR` names finished programs.
pub(crate) fn make() -> Result<()> {
    if std::env::var_os("MCP_AUTHD_TEST_BIN_DIR").is_some() {
        return Ok(());
    }
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let built = Command::new(cargo)
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .args(["build", "-p", "mcp-authd", "-p", "authctl", "--profile", &profile()?])
        .status()
        .context("cargo cannot be started; run this as: cargo demo")?;
    ensure!(built.success(), "mcp-authd and authctl could not be built; cargo says why above");
    Ok(())
}

/// The folder of the demo is named after its profile; only `dev` has another name there.
fn profile() -> Result<String> {
    let folder = own_folder()?;
    let name = folder.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    Ok(if name == "debug" { "dev".to_owned() } else { name })
}

/// Where the programs stand.
pub(crate) fn own_folder() -> Result<PathBuf> {
    if let Some(folder) = std::env::var_os("MCP_AUTHD_TEST_BIN_DIR") {
        return Ok(folder.into());
    }
    let own = std::env::current_exe().context("a running program has a file")?;
    Ok(own.parent().context("a file stands in a folder")?.to_owned())
}
