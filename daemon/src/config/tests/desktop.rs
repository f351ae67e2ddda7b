//! What the file may say of the desktop.

use super::*;

#[test]
fn the_desktop_is_told_of_logins_and_opens_no_page_by_itself_unless_the_file_says_otherwise() {
    let desktop = |text: &str| parse(text).expect("no error").desktop;
    assert_eq!(desktop(""), Desktop { notify: true, open_browser: false });
    assert_eq!(desktop("[desktop]"), Desktop::default());
    assert_eq!(desktop("[desktop]\nnotify = false"), Desktop { notify: false, open_browser: false });
    assert_eq!(desktop("desktop.open_browser = true"), Desktop { notify: true, open_browser: true });
    assert_eq!(
        errors("[desktop]\nnotify = \"no\"\nopen_browser = 1\nopen_browsr = true\n[network]\nx = 1\n"),
        "c.toml:2: `notify` must be true or false, not a string. Write: notify = true\n\
         c.toml:3: `open_browser` must be true or false, not an integer. Write: open_browser = true\n\
         c.toml:4: `open_browsr` is no key of [desktop]. Did you mean `open_browser`?\n\
         c.toml:6: `x` is no key of [network]. Known here: `ca_file`, `proxy`"
    );
    assert!(errors("desktop = 1").contains("`desktop` must be a table, not an integer. Write: [desktop]"));
}
