//! Server logs in other languages than English. In: the word for a message's level, its SQLSTATE.
//! Out: whether the log is in another language, and what the state alone says. Messages themselves
//! are understood in English only (`lc_messages = 'C'`), and that is said.

use crate::ingest::raw::LogKind;

/// Words for levels in PostgreSQL's translations, where they differ from the English ones: German,
/// French, Spanish, Italian, Portuguese, Polish, Swedish, Turkish, Russian, Ukrainian, Japanese,
/// Chinese, Korean.
const LEVELS: [&str; 27] = [
    "FEHLER",
    "WARNUNG",
    "HINWEIS",
    "PANIK",
    "ERREUR",
    "ATTENTION",
    "ADVERTENCIA",
    "PÁNICO",
    "ERRORE",
    "ATTENZIONE",
    "ERRO",
    "AVISO",
    "BŁĄD",
    "DZIENNIK",
    "FEL",
    "VARNING",
    "HATA",
    "UYARI",
    "ОШИБКА",
    "СООБЩЕНИЕ",
    "ВАЖНО",
    "ПОМИЛКА",
    "エラー",
    "错误",
    "日志",
    "오류",
    "로그",
];

/// Says whether a word is a level in another language.
pub fn is_level(word: &str) -> bool {
    LEVELS.contains(&word)
}

/// What a message is about by its SQLSTATE, which no language changes; `None` where the state covers
/// several things.
pub fn of_state(state: &str) -> Option<(LogKind, &'static str)> {
    Some(match state {
        "40P01" => (LogKind::Deadlock, "deadlock detected (40P01)"),
        "53300" => (LogKind::NoSlots, "too many connections (53300)"),
        "57P01" => (LogKind::Terminated, "terminated by an administrator (57P01)"),
        "57P02" => (LogKind::Crash, "terminated because of a crash (57P02)"),
        "25P03" => (LogKind::IdleTimeout, "idle-in-transaction timeout (25P03)"),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use crate::ingest::raw::LogKind;
    use crate::model::GapKind;

    #[test]
    fn a_log_in_german_is_known_and_said_not_to_be_understood() {
        let text = "2026-11-20 20:10:01.446 UTC [7] app@shop store FEHLER:  Verklemmung entdeckt\n\
                    2026-11-20 20:10:01.446 UTC [7] app@shop store DETAIL:  Prozess 7 wartet\n\
                    2026-11-20 20:10:02.446 UTC [8] app@shop store LOG:  Prozess 8 wartet noch\n";
        let raw = crate::ingest::read_text("pg-main_server.log", text.as_bytes());
        let gap = raw.gaps.iter().find(|g| g.what.contains("FEHLER")).expect("it is said");
        assert_eq!((gap.kind, gap.line), (GapKind::Doubtful, Some(1)));
        assert!(gap.what.contains("lc_messages") && raw.logs.is_empty(), "{}", gap.what);
    }

    #[test]
    fn the_state_tells_what_no_language_changes() {
        let row = "2026-11-20 20:10:01.446 UTC,app,shop,7,10.0.0.1:5,abc,1,x,\
                   2026-11-20 20:00:00 UTC,3/4,0,FATAL,53300,tut mir leid,,,,,,,,,web,client backend,,0\n";
        let raw = crate::ingest::read_text("pg-main_server.csv", row.as_bytes());
        let kinds: Vec<LogKind> = raw.logs.iter().map(|l| l.kind).collect();
        assert_eq!(kinds, [LogKind::NoSlots], "{:?}", raw.gaps);
    }
}
