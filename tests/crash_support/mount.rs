//! File systems of a test's own: an ext4 in an image whose power can be cut, a small tmpfs, a
//! read-only one. Whatever is mounted or attached goes with the value.

use std::fs;
use std::path::{Path, PathBuf};

use super::{has, must, run};

/// Why nothing can be mounted here, if nothing can.
pub fn missing(programs: &[&str]) -> Option<String> {
    if run("id", &["-u"]).stdout.trim_ascii() != b"0" {
        return Some("mounting needs root".to_owned());
    }
    let absent = programs.iter().find(|program| !has(program));
    absent.map(|program| format!("no {program} here"))
}

/// Something mounted on a folder.
pub struct Mount(pub PathBuf);

impl Mount {
    /// Mounts with these arguments of `mount`, on a folder that is made for it.
    ///
    /// # Errors
    /// What `mount` says.
    pub fn new(arguments: &[&str], folder: &Path) -> Result<Mount, String> {
        fs::create_dir_all(folder).unwrap();
        let arguments = [arguments, &[folder.to_str().unwrap()]].concat();
        let output = run("mount", &arguments);
        if !output.status.success() {
            return Err(String::from_utf8_lossy(&output.stderr).trim().to_owned());
        }
        Ok(Mount(folder.to_owned()))
    }
}

impl Drop for Mount {
    fn drop(&mut self) {
        let folder = self.0.to_str().unwrap();
        if !run("umount", &[folder]).status.success() {
            run("umount", &["--lazy", folder]);
        }
    }
}

/// An image as a block device.
struct Loop(String);

impl Drop for Loop {
    fn drop(&mut self) {
        run("losetup", &["--detach", &self.0]);
    }
}

/// An ext4 in an image, mounted.
pub struct Disk {
    // In this order: what is mounted goes before its device.
    mount: Mount,
    _device: Loop,
    image: PathBuf,
}

impl Disk {
    /// An empty file system in a new image.
    pub fn format(image: &Path, octets: u64) -> Result<(), String> {
        fs::File::create(image).unwrap().set_len(octets).unwrap();
        let output = run("mkfs.ext4", &["-q", "-F", image.to_str().unwrap()]);
        if output.status.success() {
            return Ok(());
        }
        Err(String::from_utf8_lossy(&output.stderr).trim().to_owned())
    }

    /// Mounts an image on a folder.
    ///
    /// # Errors
    /// Why this machine does not let us.
    pub fn mount(image: &Path, folder: &Path) -> Result<Disk, String> {
        let output = run("losetup", &["--find", "--show", image.to_str().unwrap()]);
        if !output.status.success() {
            return Err(String::from_utf8_lossy(&output.stderr).trim().to_owned());
        }
        let device = Loop(String::from_utf8_lossy(&output.stdout).trim().to_owned());
        let mount = Mount::new(&["-t", "ext4", &device.0], folder)?;
        Ok(Disk { mount, _device: device, image: image.to_owned() })
    }

    pub fn folder(&self) -> &Path {
        &self.mount.0
    }

    /// What a power cut would leave: the image as the disk has it now, without the page cache of
    /// the file system in it.
    pub fn copy_as_on_disk(&self, to: &Path) {
        must("cp", &["--sparse=always", self.image.to_str().unwrap(), to.to_str().unwrap()]);
    }

    /// Shuts the file system down at once, without writing anything more, its own log included:
    /// ioctl `EXT4_IOC_SHUTDOWN` with `EXT4_GOING_FLAGS_NOLOGFLUSH` (Linux, fs/ext4/ext4.h).
    pub fn cut_power(&self, file: &Path) {
        let program = "open(my $file, '<', $ARGV[0]) or die \"open: $!\"; \
                       my $flags = pack('L', 2); \
                       ioctl($file, 0x8004587d, $flags) or die \"ioctl: $!\"";
        must("perl", &["-e", program, file.to_str().unwrap()]);
    }
}
