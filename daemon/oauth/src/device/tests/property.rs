//! The rules of polling under any sequence of answers, delays and sleeps (D11-D15).

use proptest::prelude::*;

use super::*;

/// What a poll may be answered with, the end excepted.
fn any_setback() -> impl Strategy<Value = Result<HttpAnswer, Undelivered>> {
    let with_wish = |(status, wish): (u16, Option<u16>)| {
        let mut later = answer(status, "");
        later.retry_after = wish.map(|wish| wish.to_string());
        Ok(later)
    };
    prop_oneof![
        Just(error(400, "authorization_pending")),
        Just(error(428, "authorization_pending")),
        Just(error(403, "slow_down")),
        any::<u16>().prop_map(|interval| Ok(answer(200, format!("error=slow_down&interval={interval}")))),
        Just(lost()),
        Just(offline()),
        Just(Ok(answer(200, "<html>"))),
        (proptest::sample::select(vec![429, 500, 503, 408]), any::<Option<u16>>()).prop_map(with_wish),
    ]
}

proptest! {
    #[test]
    fn a_login_never_polls_early_or_after_its_end_and_its_interval_never_shrinks(
        expires_in in 1..2000_u64,
        interval in 1..100_u64,
        turns in proptest::collection::vec((any_setback(), 0..40_000_i64, prop_oneof![9 => 0..3_000_i64, 1 => 0..4_000_000_i64]), 1..60),
    ) {
        let expires = at(expires_in).instant;
        let (mut when, mut flow) = begun(expires_in, interval);
        let mut last_answer = Instant::from_millis(0);
        let mut known = secs(interval);
        for (polls, (answer, takes, late)) in turns.into_iter().enumerate() {
            let now = millis(when.as_millis() + late);
            let request = match flow.handle(Input::Resumed, now) {
                Step::Send(request, next) => {
                    flow = next;
                    request
                }
                Step::Done(output) => {
                    prop_assert_eq!(output, Err(SignInFailure::Expired));
                    prop_assert!(now.instant >= expires);
                    return Ok(());
                }
                other => panic!("{other:?}"),
            };
            prop_assert!(body_of(&request).contains("SNTL_DC"));
            prop_assert!(when < expires, "a poll is planned for after the end");
            let first_and_only = polls == 0 && known >= expires.since(last_answer).saturating_sub(secs(1));
            prop_assert!(now.instant.since(last_answer) >= known || first_and_only, "too early");
            let asleep = now.instant >= expires;
            let answered = millis(now.instant.as_millis() + takes);
            last_answer = answered.instant;
            match flow.handle(Input::Answered(answer), answered) {
                Step::WaitUntil(deadline, next) => {
                    prop_assert!(!asleep, "only one poll after the end");
                    (when, flow) = (deadline.at, next);
                }
                Step::Done(output) => {
                    prop_assert_eq!(output, Err(SignInFailure::Expired));
                    prop_assert!(answered.instant >= expires);
                    return Ok(());
                }
                other => panic!("{other:?}"),
            }
            if let State::Waiting { polling, .. } = &flow.state {
                prop_assert!(polling.pending.interval >= known, "the interval has shrunk");
                known = polling.pending.interval;
            }
        }
    }

    #[test]
    fn no_answer_panics(status in any::<u16>(), body in any::<Vec<u8>>(), when in 0..i64::MAX - 1_000_000_000_000) {
        let (_, flow) = sent(DeviceFlow::new(request()).handle(Input::Begin, millis(when)));
        let _ = flow.handle(Input::Answered(Ok(answer(status, &body))), millis(when));
        let (first, flow) = begun(900, 5);
        let _ = poll(flow, first, Ok(answer(status, &body)));
    }
}
