//! Scripts that run inside the server: named by their hash, and loaded where the server does not know them.

use redis::Cmd;

/// A Lua script. Build it once per process: building hashes the text.
#[derive(Debug, Clone)]
pub struct Script {
    text: String,
    hash: String,
}

/// One call of a script: its keys and arguments.
#[derive(Debug, Clone)]
pub struct ScriptCall<'a> {
    script: &'a Script,
    keys: &'a [&'a str],
    arguments: Vec<String>,
}

impl Script {
    /// A script of this text.
    #[must_use]
    pub fn new(text: &str) -> Self {
        Self { text: text.to_owned(), hash: redis::Script::new(text).get_hash().to_owned() }
    }

    /// A call with every key that the script touches, all of one slot, and its arguments.
    #[must_use]
    pub fn call<'a>(&'a self, keys: &'a [&'a str], arguments: Vec<String>) -> ScriptCall<'a> {
        ScriptCall { script: self, keys, arguments }
    }
}

impl ScriptCall<'_> {
    /// By hash: 40 bytes instead of the text.
    pub(crate) fn by_hash(&self) -> Cmd {
        self.command("EVALSHA", &self.script.hash)
    }

    /// By text, which the server keeps for the next call by hash: loading and running in one round trip.
    pub(crate) fn by_text(&self) -> Cmd {
        self.command("EVAL", &self.script.text)
    }

    fn command(&self, name: &str, script: &str) -> Cmd {
        let mut command = redis::cmd(name);
        command.arg(script).arg(self.keys.len()).arg(self.keys).arg(&self.arguments);
        command
    }
}

#[cfg(test)]
mod tests {
    use super::Script;

    #[track_caller]
    fn check(command: &redis::Cmd, expected: &[&str]) {
        let packed = String::from_utf8(command.get_packed_command()).unwrap();
        let words: Vec<&str> = packed.split("\r\n").skip(2).step_by(2).collect();
        assert_eq!(words, expected);
    }

    #[test]
    fn a_call_names_its_script_by_hash_or_by_text() {
        let script = Script::new("return 1");
        let call = script.call(&["{a}:1", "{a}:2"], vec!["3".to_owned()]);
        check(
            &call.by_hash(),
            &["EVALSHA", "e0e1f9fabfc9d4800c877a703b823ac0578ff8db", "2", "{a}:1", "{a}:2", "3"],
        );
        check(&call.by_text(), &["EVAL", "return 1", "2", "{a}:1", "{a}:2", "3"]);
    }
}
