//! The packages, from the programs that the tests have: installed below a scratch root, looked at, used, and taken away again.
//!
//! Must never: touch what is installed on this machine.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use mcp_authd_tests::daemon;
use mcp_authd_tests::skip::{Skip, skipped};
use tempfile::TempDir;

const PROGRAMS: [&str; 2] = ["authctl", "mcp-authd"];

/// The root of the repository.
fn tree() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

/// A command that has to end well. What it wrote, with whitespace at its ends cut.
fn run(command: &mut Command) -> String {
    let output = command.stdin(Stdio::null()).output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?}: {}\n{said}", output.status);
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

/// What `daemon/packaging/build` has made: the tarball and the package of Debian.
struct Packages {
    folder: TempDir,
}

impl Packages {
    fn build() -> Self {
        Self::build_under("umask 022")
    }

    /// `setting`: what the shell is told before.
    fn build_under(setting: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let script = format!("{setting}; exec \"$0\" \"$@\"");
        let mut build = Command::new("bash");
        build.args(["-c", &script]).arg(tree().join("daemon/packaging/build")).arg("--fast").arg("--into").arg(folder.path());
        run(build.arg("--programs").arg(daemon::programs()));
        Self { folder }
    }

    fn file(&self, ending: &str) -> PathBuf {
        let all = fs::read_dir(self.folder.path()).unwrap().map(|entry| entry.unwrap().path());
        let mut found = all.filter(|path| path.to_str().unwrap().ends_with(ending));
        found.next().unwrap_or_else(|| panic!("no {ending}"))
    }

    /// The tarball below a scratch prefix.
    fn unpacked(&self) -> TempDir {
        let prefix = tempfile::tempdir().unwrap();
        let mut tar = Command::new("tar");
        run(tar.arg("--directory").arg(prefix.path()).args(["--strip-components=1", "-xf"]).arg(self.file(".tar.gz")));
        prefix
    }
}

/// Every file below a folder with its mode, by its path from there.
fn files(folder: &Path) -> BTreeMap<String, u32> {
    let mut found = BTreeMap::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(next) = folders.pop() {
        for entry in fs::read_dir(next).unwrap() {
            let path = entry.unwrap().path();
            let about = fs::symlink_metadata(&path).unwrap();
            if about.is_dir() {
                folders.push(path);
            } else {
                let name = path.strip_prefix(folder).unwrap().to_str().unwrap().to_owned();
                found.insert(name, about.permissions().mode() & 0o7777);
            }
        }
    }
    found
}

fn names(folder: &str) -> BTreeSet<String> {
    let entries = fs::read_dir(tree().join(folder)).into_iter().flatten();
    entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
}

/// The folder of a page.
fn manual(page: &str) -> String {
    format!("man{}", page.rsplit('.').next().unwrap())
}

/// What stands in both packages, with its mode. The folders of zsh and of the units and the ending of a page differ.
fn expected(zsh: &str, page_ending: &str, units_folder: &str) -> BTreeMap<String, u32> {
    let mut all = vec!["share/doc/mcp-authd/README.md".to_owned()];
    for program in PROGRAMS {
        all.push(format!("share/bash-completion/completions/{program}"));
        all.push(format!("share/fish/vendor_completions.d/{program}.fish"));
        all.push(format!("share/zsh/{zsh}/_{program}"));
    }
    let pages = names("daemon/packaging/man");
    assert!(pages.contains("authctl-account-add.1") && pages.contains("mcp-authd.toml.5"), "{pages:?}");
    all.extend(pages.iter().map(|page| format!("share/man/{}/{page}{page_ending}", manual(page))));
    let units = names("daemon/units").into_iter().filter(|unit| unit.ends_with(".service") || unit.ends_with(".socket"));
    all.extend(units.map(|unit| format!("{units_folder}/{unit}")));
    let programs = PROGRAMS.map(|program| (format!("bin/{program}"), 0o755));
    all.into_iter().map(|file| (file, 0o644)).chain(programs).collect()
}

fn runs(bin: &Path) {
    for program in PROGRAMS {
        let told = run(Command::new(bin.join(program)).arg("--version"));
        assert_eq!(told, format!("{program} {}", env!("CARGO_PKG_VERSION")));
    }
}

/// What the units below a prefix start.
fn started(prefix: &Path) -> BTreeSet<String> {
    let services = files(prefix).into_keys().filter(|file| file.ends_with(".service"));
    let texts = services.map(|file| fs::read_to_string(prefix.join(file)).unwrap());
    let starts = texts
        .flat_map(|text| text.lines().filter_map(|line| Some(line.strip_prefix("ExecStart=")?.to_owned())).collect::<Vec<_>>());
    starts.map(|line| line.split(' ').next().unwrap().to_owned()).collect()
}

/// Whether this machine has a program. Where it has not, the story is skipped, aloud.
fn has(story: &str, program: &str, package: &str) -> bool {
    let found = std::env::split_paths(&std::env::var_os("PATH").unwrap()).any(|folder| folder.join(program).is_file());
    if !found {
        skipped(story, &Skip(format!("{program} is not installed. Install it (Debian: apt-get install {package})")));
    }
    found
}

#[test]
fn the_same_programs_make_the_same_packages_whatever_the_umask_and_the_zone() {
    let first = Packages::build_under("umask 077; export TZ=Asia/Tokyo LC_ALL=C.UTF-8");
    let second = Packages::build_under("umask 002; export TZ=America/Lima");
    for ending in [".tar.gz", ".deb"] {
        let same = fs::read(first.file(ending)).unwrap() == fs::read(second.file(ending)).unwrap();
        assert!(same, "{ending} differs");
    }
}

#[test]
fn the_tarball_puts_everything_at_its_place_and_is_taken_away_by_its_list() {
    let prefix = Packages::build().unpacked();
    let mut expected = expected("site-functions", "", "share/systemd/user");
    for file in ["FILES", "LICENSE-MIT", "LICENSE-APACHE"] {
        expected.insert(format!("share/doc/mcp-authd/{file}"), 0o644);
    }
    assert_eq!(files(prefix.path()), expected);
    runs(&prefix.path().join("bin"));
    let starts = started(prefix.path());
    assert!(starts.iter().all(|program| program == "mcp-authd"), "it may be below another prefix than /usr: {starts:?}");

    fs::write(prefix.path().join("bin/somebody-elses"), "").unwrap();
    run(Command::new("bash").current_dir(prefix.path()).args(["-c", "xargs rm -- < share/doc/mcp-authd/FILES"]));
    assert_eq!(files(prefix.path()).into_keys().collect::<Vec<_>>(), ["bin/somebody-elses"]);
}

#[test]
fn the_debian_package_puts_everything_at_its_place_and_leaves_nothing_when_it_is_removed() {
    const STORY: &str = "the Debian package";
    if !nix::unistd::geteuid().is_root() {
        return skipped(STORY, &Skip("dpkg installs nothing for others than root. Next: run it as root".to_owned()));
    }
    if !has(STORY, "dpkg", "dpkg") {
        return;
    }
    let packages = Packages::build();
    let root = tempfile::tempdir().unwrap();
    let database = root.path().join("var/lib/dpkg");
    for folder in ["info", "updates"] {
        fs::create_dir_all(database.join(folder)).unwrap();
    }
    // What the package depends on counts as installed in the version in which it is, and nothing else does.
    fs::write(database.join("status"), run(Command::new("dpkg-query").args(["--status", "libc6", "libgcc-s1"])) + "\n").unwrap();
    let dpkg = || {
        let mut dpkg = Command::new("dpkg");
        dpkg.arg(format!("--root={}", root.path().display())).arg(format!("--log={}", root.path().join("var/log").display()));
        dpkg
    };
    run(dpkg().arg("--install").arg(packages.file(".deb")));

    let usr = root.path().join("usr");
    let mut expected = expected("vendor-completions", ".gz", "lib/systemd/user");
    expected.insert("share/doc/mcp-authd/copyright".to_owned(), 0o644);
    assert_eq!(files(&usr), expected);
    for file in expected.keys() {
        let about = fs::metadata(usr.join(file)).unwrap();
        assert_eq!((about.uid(), about.gid()), (0, 0), "{file}");
    }
    runs(&usr.join("bin"));
    for program in started(&usr) {
        assert!(root.path().join(program.trim_start_matches('/')).is_file(), "{program} is started, and is not there");
    }
    assert_eq!(run(dpkg().args(["--verify", "mcp-authd"])), "", "the checksums do not fit");
    assert!(
        names_of(&database.join("info")).iter().all(|file| !file.ends_with("inst") && !file.ends_with("rm")),
        "it runs scripts"
    );

    run(dpkg().args(["--remove", "mcp-authd"]));
    assert!(!usr.exists(), "left behind: {:?}", files(&usr));
    let list = run(dpkg().args(["--get-selections", "mcp-authd"]).stderr(Stdio::null()));
    assert_eq!(list, "", "dpkg still knows of it");
}

fn names_of(folder: &Path) -> Vec<String> {
    fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
}

#[test]
fn no_manual_page_has_a_warning_and_each_is_found_by_its_name() {
    if !has("the manual", "man", "man-db") {
        return;
    }
    let warnings = |page: &Path| {
        let mut man = Command::new("man");
        man.env("LC_ALL", "C.UTF-8").env("MANWIDTH", "80").env_remove("MANROFFOPT").stdin(Stdio::null());
        let output = man.args(["--warnings", "-E", "UTF-8", "-Tutf8", "-Z", "-l"]).arg(page).output().unwrap();
        String::from_utf8(output.stderr).unwrap()
    };
    let prefix = Packages::build().unpacked();
    let wrong = prefix.path().join("wrong.1");
    fs::write(&wrong, ".TH X 1\n.SH NAME\nx \\- y\n.NOSUCHMACRO\n").unwrap();
    assert!(warnings(&wrong).contains("NOSUCHMACRO"), "man warns of nothing here: {}", warnings(&wrong));

    for page in names("daemon/packaging/man") {
        let (name, _) = page.rsplit_once('.').unwrap();
        let installed = prefix.path().join("share/man");
        let found = run(Command::new("man").arg("-M").arg(&installed).args(["-w", name]));
        assert_eq!(Path::new(&found), installed.join(manual(&page)).join(&page));
        assert_eq!(warnings(Path::new(&found)), "", "{page}");
    }
}

#[test]
fn bash_completes_commands_and_options() {
    let prefix = Packages::build().unpacked();
    let script = r#". "$0"; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); function=$(complete -p "$1" | sed 's/.* -F \([^ ]*\).*/\1/')
        "$function" "$1" "${@: -1}" "${@: -2:1}"; echo "${COMPREPLY[@]}""#;
    let completed = |program: &str, words: &[&str]| {
        let file = prefix.path().join("share/bash-completion/completions").join(program);
        run(Command::new("bash").args(["--norc", "--noprofile", "-c", script]).arg(file).arg(program).args(words))
    };
    assert_eq!(completed("authctl", &["acc"]), "account");
    assert_eq!(completed("authctl", &["account", "add", "--prov"]), "--provider --provider-parameter");
    assert_eq!(completed("mcp-authd", &["--ta"]), "--take-over");
}

#[test]
fn zsh_finds_the_completions_in_its_path_and_loads_them() {
    if !has("completions of zsh", "zsh", "zsh") {
        return;
    }
    let prefix = Packages::build().unpacked();
    let script = r#"fpath=("$0" $fpath); autoload -Uz compinit; compinit -u -D
        for f in _authctl _mcp-authd; do autoload +X $f && whence -w $f; done; print $_comps[authctl] $_comps[mcp-authd]"#;
    let told = run(Command::new("zsh").args(["-f", "-c", script]).arg(prefix.path().join("share/zsh/site-functions")));
    assert_eq!(told, "_authctl: function\n_mcp-authd: function\n_authctl _mcp-authd");
}

#[test]
fn fish_completes_commands_and_options() {
    if !has("completions of fish", "fish", "fish") {
        return;
    }
    let prefix = Packages::build().unpacked();
    let home = tempfile::tempdir().unwrap();
    // fish looks for completions only of programs that are there.
    let path = std::env::join_paths([prefix.path().join("bin"), "/usr/bin".into(), "/bin".into()]).unwrap();
    let mut fish = Command::new("fish");
    fish.env_clear().env("HOME", home.path()).env("PATH", path).env("XDG_DATA_DIRS", prefix.path().join("share"));
    let script = "complete -C 'authctl acc'; complete -C 'authctl account add --prov'; complete -C 'mcp-authd --ta'";
    let told = run(fish.args(["-c", script]));
    let names: Vec<_> = told.lines().map(|line| line.split('\t').next().unwrap()).collect();
    assert_eq!(names, ["account", "--provider", "--provider-parameter", "--take-over"]);
}
