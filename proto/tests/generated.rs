//! The committed code is what the .proto files say, and no message that the daemon sends can carry a secret of its own.

use std::path::Path;

use prost_types::FileDescriptorSet;

const FILES: [&str; 5] =
    ["authd/v1/tokens.proto", "authd/v1/clients.proto", "authd/v1/providers.proto", "authd/v1/log.proto", "authd/v1/admin.proto"];

fn descriptors() -> FileDescriptorSet {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    protox::compile(FILES.map(|file| root.join(file)), [root]).expect("the .proto files compile")
}

fn without_comments(descriptors: &FileDescriptorSet) -> FileDescriptorSet {
    let mut bare = descriptors.clone();
    bare.file.iter_mut().for_each(|file| file.source_code_info = None);
    bare
}

fn generate(into: &Path) {
    let descriptors = descriptors();
    std::fs::write(into.join("authd.v1.bin"), prost::Message::encode_to_vec(&without_comments(&descriptors))).expect("written");
    let mut messages = prost_build::Config::new();
    messages.skip_debug(["authd.v1.AccessToken", "authd.v1.SetClientSecretRequest", "authd.v1.CompleteSignInRequest"]);
    messages.btree_map(["."]);
    tonic_prost_build::configure()
        .out_dir(into)
        .build_transport(false)
        .server_mod_attribute("authd.v1", "#[cfg(feature = \"server\")]")
        .client_mod_attribute("authd.v1", "#[cfg(feature = \"client\")]")
        .compile_fds_with_config(descriptors, messages)
        .expect("the code is generated");
}

#[test]
fn the_committed_code_is_what_the_proto_files_say() {
    let committed = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/generated");
    if std::env::var_os("MCP_AUTHD_REGENERATE").is_some() {
        generate(&committed);
    }
    let fresh = tempfile::tempdir().expect("a folder");
    generate(fresh.path());
    for file in ["authd.v1.rs", "authd.v1.bin"] {
        let made = std::fs::read(fresh.path().join(file)).expect("made");
        let kept = std::fs::read(committed.join(file)).expect("committed");
        assert!(made == kept, "{file} is stale: run MCP_AUTHD_REGENERATE=1 cargo test -p mcp-authd-proto");
    }
}

#[test]
fn no_message_but_the_write_only_one_has_a_field_for_a_refresh_token_a_client_secret_or_a_key() {
    let forbidden = ["refresh_token", "client_secret", "device_code", "code_verifier", "registration_access_token", "passphrase"];
    for file in descriptors().file {
        for message in &file.message_type {
            for field in &message.field {
                let write_only = (message.name(), field.name()) == ("SetClientSecretRequest", "client_secret");
                assert!(write_only || !forbidden.contains(&field.name()), "{}.{}", message.name(), field.name());
            }
        }
    }
}
