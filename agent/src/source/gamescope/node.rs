//! gamescope's nodes in the user's PipeWire, by what PipeWire itself knows of them: for attaching to one that runs, and
//! for one whose log did not name its node.
//!
//! Adapter and stream share the name `gamescope`; only the stream is a `Video/Source`. Whose it is tells the process id
//! that PipeWire read from the client's socket.

use std::{cell::RefCell, collections::HashMap, rc::Rc, time::Duration, time::Instant};

use pipewire::{
    context::ContextRc, loop_::Timeout, main_loop::MainLoopRc, registry::GlobalObject,
    spa::utils::dict::DictRef, types::ObjectType,
};

/// How long PipeWire may take to list what it has.
const LIMIT: Duration = Duration::from_secs(2);

/// A node and the process that it belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Found {
    pub node: u32,
    pub process: i32,
}

#[derive(Default)]
struct Seen {
    /// Global id of a node, and of its client.
    nodes: Vec<(u32, u32)>,
    /// Global id of a client, and its process.
    clients: HashMap<u32, i32>,
    answered: bool,
}

impl Seen {
    fn take(&mut self, global: &GlobalObject<&DictRef>) {
        let Some(properties) = global.props else {
            return;
        };
        match global.type_ {
            ObjectType::Node
                if properties.get("media.class") == Some("Video/Source")
                    && properties.get("node.name") == Some("gamescope") =>
            {
                let client = properties.get("client.id").and_then(|id| id.parse().ok());
                self.nodes.extend(client.map(|client| (global.id, client)));
            }
            ObjectType::Client => {
                let process = ["pipewire.sec.pid", "application.process.id"]
                    .iter()
                    .find_map(|key| properties.get(key)?.parse().ok());
                self.clients
                    .extend(process.map(|process| (global.id, process)));
            }
            _ => {}
        }
    }
}

/// Every gamescope that offers pictures. Blocks for a round trip; to be called where nothing else waits.
///
/// # Errors
/// PipeWire's own words.
pub fn find() -> Result<Vec<Found>, String> {
    let failed = |error: pipewire::Error| error.to_string();
    pipewire::init();
    let main_loop = MainLoopRc::new(None).map_err(failed)?;
    let context = ContextRc::new(&main_loop, None).map_err(failed)?;
    let core = context.connect_rc(None).map_err(failed)?;
    let registry = core.get_registry_rc().map_err(failed)?;
    let seen = Rc::<RefCell<Seen>>::default();
    let (globals, answers) = (Rc::clone(&seen), Rc::clone(&seen));
    let _globals = registry
        .add_listener_local()
        .global(move |global| globals.borrow_mut().take(global))
        .register();
    let asked = core.sync(0).map_err(failed)?;
    let _answers = core
        .add_listener_local()
        .done(move |_, seq| answers.borrow_mut().answered |= seq == asked)
        .register();
    let end = Instant::now() + LIMIT;
    while !seen.borrow().answered {
        let left = end.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err("PipeWire does not answer".to_owned());
        }
        main_loop.loop_().iterate(Timeout::Finite(left));
    }
    let seen = seen.borrow();
    let found = seen.nodes.iter().filter_map(|(node, client)| {
        let process = *seen.clients.get(client)?;
        Some(Found {
            node: *node,
            process,
        })
    });
    Ok(found.collect())
}
