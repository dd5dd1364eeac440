//! A sway for tests: it answers each question of one connection with the next answer that it was given.

use std::{
    env, fs,
    io::{Read, Write},
    os::unix::net::UnixListener,
    path::PathBuf,
    thread::{self, JoinHandle},
};

use super::ipc::MAGIC;

/// Its socket, and what it was asked, by kind and body. `name` is the test's own.
pub fn sway(name: &str, answers: &[&str]) -> (PathBuf, JoinHandle<Vec<(u32, String)>>) {
    let folder = env::temp_dir().join(format!("pf-sway-{name}-{}", std::process::id()));
    fs::create_dir_all(&folder).unwrap();
    let path = folder.join("sway-ipc.0.1.sock");
    let _ = fs::remove_file(&path);
    let listener = UnixListener::bind(&path).unwrap();
    let answers: Vec<String> = answers.iter().map(|answer| (*answer).to_owned()).collect();
    let sway = thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let mut asked = Vec::new();
        for answer in answers {
            let mut header = [0; 14];
            stream.read_exact(&mut header).unwrap();
            assert_eq!(&header[..6], MAGIC);
            let length = u32::from_ne_bytes(header[6..10].try_into().unwrap());
            let mut body = vec![0; length as usize];
            stream.read_exact(&mut body).unwrap();
            asked.push((
                u32::from_ne_bytes(header[10..].try_into().unwrap()),
                String::from_utf8(body).unwrap(),
            ));
            let mut reply = MAGIC.to_vec();
            reply.extend_from_slice(&(answer.len() as u32).to_ne_bytes());
            reply.extend_from_slice(&header[10..]);
            reply.extend_from_slice(answer.as_bytes());
            stream.write_all(&reply).unwrap();
        }
        asked
    });
    (path, sway)
}
