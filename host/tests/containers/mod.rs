//! The binary in a root of its own, by bare namespaces and by a container engine.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a panic is a failure of the test that asks"
)]

use std::{
    fs,
    os::unix::fs::{PermissionsExt, chown},
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::atomic::{AtomicU32, Ordering},
};

use crate::stack::{Process, World};

/// As the vendor's images run, and who owns the folder that they are given.
const USER: u32 = 999;
const DATA: &str = "/home/opuser/.op/data";
const CREDENTIALS: &str = "/home/opuser/.op/1password-credentials.json";
const BINARY: &str = env!("CARGO_BIN_EXE_sekisho");
/// Of all that there is in the environment, so much.
const ARGUMENTS: [&str; 2] = ["--listen", "127.0.0.1:0"];

pub(crate) trait Runs {
    /// A folder that belongs to another user and is open to this one's group, as an emptyDir with `fsGroup` is.
    fn data_folder(&self, world: &World) -> PathBuf {
        let data = world.dir.path().join("foreign");
        fs::create_dir(&data).unwrap();
        if is_root() {
            chown(&data, Some(0), Some(USER)).unwrap();
        }
        fs::set_permissions(&data, fs::Permissions::from_mode(0o2777)).unwrap();
        // The folder above is the test's alone.
        fs::set_permissions(world.dir.path(), fs::Permissions::from_mode(0o755)).unwrap();
        let credentials = world.credentials_file();
        fs::set_permissions(credentials, fs::Permissions::from_mode(0o644)).unwrap();
        data
    }

    fn start(&self, world: &World, data: &Path, role: &str) -> Process;

    fn stop(&self, process: Process) {
        process.kill();
    }
}

fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

/// What it says on its standard error if it does not end well.
fn run(command: &mut Command) -> Result<String, String> {
    let output = command.output().map_err(|error| error.to_string())?;
    if output.status.success() {
        Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
    } else {
        Err(String::from_utf8_lossy(&output.stderr).trim().to_owned())
    }
}

/// The loader and the libraries that the binary wants, each where it wants it.
fn libraries() -> Result<Vec<PathBuf>, String> {
    let listed = run(Command::new("ldd").arg(BINARY))?;
    let words = listed.split_whitespace();
    Ok(words
        .filter(|word| word.starts_with('/'))
        .map(PathBuf::from)
        .collect())
}

/// Namespaces of mounts, made with `unshare`; without root, one of users as well.
pub(crate) struct Namespace {
    libraries: Vec<PathBuf>,
}

/// `$1` is where the root will be, `$2` the data, `$3` the credentials, `$4` the binary, `$5` how to become the user;
/// libraries follow, `--`, and the command.
const SCRIPT: &str = r#"
set -e
root=$1 data=$2 credentials=$3 binary=$4 user=$5
shift 5
mount -t tmpfs -o mode=0755 tmpfs "$root"
mkdir -p "$root/home/opuser/.op/data"
bind() { mkdir -p "$(dirname "$root$2")"; : > "$root$2"; mount --bind "$1" "$root$2"; }
bind "$binary" /sekisho
bind "$credentials" /home/opuser/.op/1password-credentials.json
while [ "$1" != -- ]; do bind "$1" "$1"; shift; done
shift
mount --bind "$data" "$root/home/opuser/.op/data"
mount -o remount,ro "$root"
exec env -i "$(command -v chroot)" $user "$root" /sekisho "$@"
"#;

impl Namespace {
    /// Unless it cannot be had.
    pub(crate) fn find() -> Result<Self, String> {
        let libraries = libraries()?;
        let dir = tempfile::tempdir().map_err(|error| error.to_string())?;
        // The same steps with nothing in the folder, and a command that ends.
        let mut try_it = Self::command(dir.path(), dir.path(), Path::new(BINARY), &libraries);
        run(try_it.arg("--version"))?;
        Ok(Self { libraries })
    }

    fn command(root: &Path, data: &Path, credentials: &Path, libraries: &[PathBuf]) -> Command {
        let mut command = Command::new("unshare");
        command.args(["--mount", "--propagation", "private"]);
        if !is_root() {
            command.args(["--user", "--map-root-user"]);
        }
        let user = if is_root() {
            format!("--userspec={USER}:{USER} --groups={USER}")
        } else {
            String::new()
        };
        command
            .args(["sh", "-c", SCRIPT, "sh"])
            .args([root, data, credentials, Path::new(BINARY)])
            .arg(user)
            .args(libraries)
            .arg("--")
            .stdin(Stdio::null());
        command
    }
}

impl Runs for Namespace {
    fn start(&self, world: &World, data: &Path, role: &str) -> Process {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let root = world.dir.path().join(format!("root-{number}"));
        fs::create_dir(&root).unwrap();
        let mut command = Self::command(&root, data, &world.credentials_file(), &self.libraries);
        command
            .arg(role)
            .args(ARGUMENTS)
            .stdout(Stdio::piped())
            .stderr(Stdio::null());
        Process::start(command)
    }
}

/// An engine that `docker` reaches (`DOCKER_HOST`, or the usual socket), with an image from scratch for each role.
pub(crate) struct Docker {
    context: tempfile::TempDir,
}

impl Docker {
    pub(crate) fn find() -> Result<Self, String> {
        if !is_root() {
            return Err("the folder for the data can only be made another user's by root".into());
        }
        run(Command::new("docker").args(["version", "--format", "{{.Server.Version}}"]))?;
        let context = tempfile::tempdir().map_err(|error| error.to_string())?;
        let copy = |from: &Path, to: &Path| {
            let to = context
                .path()
                .join("root")
                .join(to.strip_prefix("/").unwrap());
            fs::create_dir_all(to.parent().unwrap()).unwrap();
            fs::copy(from, to).unwrap();
        };
        copy(Path::new(BINARY), Path::new("/sekisho"));
        for library in libraries()? {
            copy(&library, &library);
        }
        // What volumes are mounted at: nothing can be made there later.
        fs::create_dir_all(
            context
                .path()
                .join("root")
                .join(DATA.trim_start_matches('/')),
        )
        .unwrap();
        let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../deploy/test/Dockerfile");
        fs::copy(file, context.path().join("Dockerfile")).unwrap();
        let docker = Self { context };
        for role in ["sync", "api"] {
            // It answers: from here on a failure is one.
            run(Command::new("docker")
                .args([
                    "build",
                    "--quiet",
                    "--target",
                    role,
                    "--tag",
                    &docker.image(role),
                ])
                .arg(docker.context.path()))
            .unwrap();
        }
        Ok(docker)
    }

    /// Of this test's run alone.
    fn image(&self, role: &str) -> String {
        let name = self.context.path().file_name().unwrap();
        let name = name
            .to_string_lossy()
            .replace(|c: char| !c.is_ascii_alphanumeric(), "");
        format!("sekisho-test-{role}:{}", name.to_lowercase())
    }
}

impl Drop for Docker {
    fn drop(&mut self) {
        for role in ["sync", "api"] {
            let image = self.image(role);
            // A test that failed leaves its containers; whatever cannot be removed is only litter.
            let from = format!("ancestor={image}");
            let left =
                run(Command::new("docker").args(["ps", "--all", "--quiet", "--filter", &from]));
            for id in left.unwrap_or_default().lines() {
                let _ = run(Command::new("docker").args(["rm", "--force", id]));
            }
            let _ = run(Command::new("docker").args(["image", "rm", "--force", &image]));
        }
    }
}

impl Runs for Docker {
    fn start(&self, world: &World, data: &Path, role: &str) -> Process {
        let mut command = Command::new("docker");
        command
            .args([
                "run",
                "--rm",
                "--init=false",
                "--read-only",
                "--network",
                "host",
            ])
            .args(["--cap-drop", "ALL", "--security-opt", "no-new-privileges"])
            .args(["--volume", &format!("{}:{DATA}", data.display())])
            .args(["--volume"])
            .arg(format!(
                "{}:{CREDENTIALS}:ro",
                world.credentials_file().display()
            ))
            .arg(self.image(role))
            .args(ARGUMENTS)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null());
        Process::start(command)
    }

    fn stop(&self, process: Process) {
        // The client hands the signal on, and ends with the container.
        process.terminate();
    }
}
