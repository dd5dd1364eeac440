//! Who may register as an agent.
