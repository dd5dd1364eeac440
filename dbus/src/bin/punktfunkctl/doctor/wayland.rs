//! What the caller's compositor offers: the list that every Wayland client is given at its start. Asked in the protocol's
//! plain words, which need no library: two requests of twelve bytes, and events that are skipped by their length.

use std::{collections::BTreeMap, path::PathBuf, time::Duration};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::UnixStream,
    time::timeout,
};

const PATIENCE: Duration = Duration::from_secs(3);
/// Events that are read before the list is given up; a compositor has about a hundred globals.
const MOST: usize = 4096;
/// Objects by our own numbers, the display's being given.
const DISPLAY: u32 = 1;
const REGISTRY: u32 = 2;
const CALLBACK: u32 = 3;
/// Requests of the display.
const SYNC: u32 = 0;
const GET_REGISTRY: u32 = 1;
/// An event without anything in it.
const HEADER: usize = 8;

/// Interfaces and their versions.
pub type Globals = BTreeMap<String, u32>;

/// The globals of the compositor that the environment names; `None`: nobody listens there, or nobody answers.
pub async fn globals(variable: impl Fn(&str) -> Option<PathBuf>) -> Option<Globals> {
    let display = variable("WAYLAND_DISPLAY").unwrap_or_else(|| "wayland-0".into());
    // an absolute display replaces the folder
    let path = match variable("XDG_RUNTIME_DIR") {
        Some(folder) => folder.join(display),
        None => display,
    };
    let asked = async {
        let stream = UnixStream::connect(path).await.ok()?;
        ask(stream).await
    };
    timeout(PATIENCE, asked).await.ok().flatten()
}

async fn ask(mut stream: UnixStream) -> Option<Globals> {
    let mut requests = Vec::new();
    for (opcode, object) in [(GET_REGISTRY, REGISTRY), (SYNC, CALLBACK)] {
        for word in [DISPLAY, (12 << 16) | opcode, object] {
            requests.extend_from_slice(&word.to_ne_bytes());
        }
    }
    stream.write_all(&requests).await.ok()?;
    let mut globals = Globals::new();
    for _ in 0..MOST {
        let object = word(&mut stream).await?;
        let size_and_opcode = word(&mut stream).await?;
        // 16 bits: at most 64 KiB
        let length = usize::try_from(size_and_opcode >> 16).ok()?;
        let mut body = vec![0; length.checked_sub(HEADER)?];
        stream.read_exact(&mut body).await.ok()?;
        match object {
            REGISTRY => globals.extend(global(&body)),
            CALLBACK => return Some(globals),
            // an error; anything else of the display is about objects that are deleted
            DISPLAY if size_and_opcode & 0xffff == 0 => return None,
            _ => {}
        }
    }
    None
}

async fn word(stream: &mut UnixStream) -> Option<u32> {
    let mut bytes = [0; 4];
    stream.read_exact(&mut bytes).await.ok()?;
    Some(u32::from_ne_bytes(bytes))
}

/// Number, interface and version; one that went again has its number only.
fn global(body: &[u8]) -> Option<(String, u32)> {
    let word = |at: usize| {
        let bytes = body.get(at..at.checked_add(4)?)?;
        Some(u32::from_ne_bytes(bytes.try_into().ok()?))
    };
    let length = usize::try_from(word(4)?).ok()?;
    let end = length.checked_add(8)?;
    let name = body.get(8..end.checked_sub(1)?)?;
    let version = word(end.checked_next_multiple_of(4)?)?;
    Some((String::from_utf8(name.to_vec()).ok()?, version))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::Path;
    use tokio::net::UnixListener;

    fn event(object: u32, opcode: u32, body: &[u8]) -> Vec<u8> {
        let size = (body.len() + HEADER) as u32;
        let header = [object, (size << 16) | opcode].map(u32::to_ne_bytes);
        [header.as_flattened(), body].concat()
    }

    fn announced(number: u32, name: &str, version: u32) -> Vec<u8> {
        let mut body = [number, name.len() as u32 + 1]
            .map(u32::to_ne_bytes)
            .as_flattened()
            .to_vec();
        body.extend_from_slice(name.as_bytes());
        body.push(0);
        body.resize(body.len().next_multiple_of(4), 0);
        body.extend_from_slice(&version.to_ne_bytes());
        event(REGISTRY, 0, &body)
    }

    /// What is made of a compositor that answers so.
    async fn answered(name: &str, events: Vec<u8>) -> Option<Globals> {
        let file = format!("pf-globals-{name}-{}", std::process::id());
        let path = std::env::temp_dir().join(file);
        let _ = std::fs::remove_file(&path);
        let listener = UnixListener::bind(&path).unwrap();
        let compositor = tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut asked = [0; 24];
            stream.read_exact(&mut asked).await.unwrap();
            stream.write_all(&events).await.unwrap();
            asked
        });
        let socket = path.clone();
        let found = globals(move |name| match name {
            "WAYLAND_DISPLAY" => Some(socket.clone()),
            _ => None,
        })
        .await;
        let _ = std::fs::remove_file(&path);
        let registry = [1, (12 << 16) | 1, 2].map(u32::to_ne_bytes);
        assert_eq!(
            compositor.await.unwrap()[..12],
            *registry.as_flattened(),
            "wl_display.get_registry"
        );
        found
    }

    #[tokio::test]
    async fn a_compositors_list_is_read_to_its_end() {
        let answer = [
            announced(1, "wl_output", 4),
            announced(2, "zwlr_screencopy_manager_v1", 3),
            event(DISPLAY, 1, &7u32.to_ne_bytes()),
            event(REGISTRY, 1, &1u32.to_ne_bytes()),
            event(CALLBACK, 0, &0u32.to_ne_bytes()),
        ];
        let found = answered("list", answer.concat()).await.unwrap();
        let expected = [("wl_output", 4), ("zwlr_screencopy_manager_v1", 3)];
        assert_eq!(found, expected.map(|(n, v)| (n.to_owned(), v)).into());
    }

    #[tokio::test]
    async fn an_error_and_what_makes_no_sense_are_no_list() {
        let refused = event(DISPLAY, 0, &[0; 12]);
        assert_eq!(answered("refused", refused).await, None);
        let torn = [1u32, 3 << 16]
            .map(u32::to_ne_bytes)
            .as_flattened()
            .to_vec();
        assert_eq!(answered("torn", torn).await, None);
        let lies = event(REGISTRY, 0, &[0xff; 12]);
        assert_eq!(answered("lies", lies).await, None);
        assert_eq!(globals(|_| Some(Path::new("/nowhere").into())).await, None);
    }
}
