//! The keeper's errands: requests and records that run beside it and come back as events.
//!
//! Each request keeps the configuration that it began with. Records are written one at a time and in order. Requests run to their end whoever goes away (I7); a login stops when it is
//! aborted or the daemon leaves, and goes on after the next start.

use mcp_authd_oauth::sign_in::{PendingSignIn, SignInFailure};
use mcp_authd_oauth::token::Granted;
use tokio::sync::{mpsc, oneshot};
use tokio_util::sync::CancellationToken;

use super::House;
use crate::accounts::AccountName;
use crate::accounts::gate::{self, Keep};
use crate::accounts::grant::{GrantRecord, SignInRecord};
use crate::accounts::machine::{Effect, Event, SaveId, SignInId};
use crate::accounts::news::Teller;

pub(super) struct Errands {
    house: House,
    events: Teller,
    records: mpsc::UnboundedSender<RecordWork>,
    /// Ends the login that is going on.
    login: CancellationToken,
    /// Lets it use its answer.
    gate: CancellationToken,
}

enum RecordWork {
    Load,
    SaveGrant(SaveId, Box<GrantRecord>),
    SaveSignIn(Box<SignInRecord>),
    ForgetGrant(SaveId),
    ForgetSignIn(SaveId),
}

impl Errands {
    pub(super) fn begin(house: &House, account: AccountName, events: Teller) -> Self {
        let (records, work) = mpsc::unbounded_channel();
        let writer = write_records(house.clone(), account, work, events.clone());
        house.tasks.work("records", writer);
        Self { house: house.clone(), events, records, login: CancellationToken::new(), gate: CancellationToken::new() }
    }

    pub(super) fn run(&mut self, effect: Effect) {
        match effect {
            Effect::Answer(..) | Effect::Publish(_) | Effect::End => {}
            Effect::Load => self.record(RecordWork::Load),
            Effect::SaveGrant(id, record) => self.record(RecordWork::SaveGrant(id, record)),
            Effect::SaveSignIn(record) => self.record(RecordWork::SaveSignIn(record)),
            Effect::ForgetGrant(id) => self.record(RecordWork::ForgetGrant(id)),
            Effect::ForgetSignIn(id) => self.record(RecordWork::ForgetSignIn(id)),
            Effect::BeginRefresh(id, config, request) => {
                let refresh = self.house.upstream.refresh(config, *request);
                let events = self.events.clone();
                self.house.tasks.errand("refresh", async move {
                    events.tell(Event::RefreshSettled(id, refresh.await));
                });
            }
            Effect::BeginSignIn(id, config, request) => {
                let (tell, prompt) = oneshot::channel();
                let (gate, keep) = gate::closed();
                let login = self.house.upstream.sign_in(config, *request, tell, gate);
                self.begin_login(id, login, (prompt, keep));
            }
            Effect::ResumeSignIn(id, config, pending) => {
                let (_, no_prompt) = oneshot::channel();
                let (gate, keep) = gate::closed();
                let login = self.house.upstream.resume_sign_in(config, *pending, gate);
                self.begin_login(id, login, (no_prompt, keep));
            }
            Effect::TradeIn(_) => self.gate.cancel(),
            Effect::AbortSignIn(_) => self.login.cancel(),
            Effect::Revoke(config, request) => {
                self.house.tasks.errand("revoke", self.house.upstream.revoke(config, *request));
            }
        }
    }

    fn record(&self, work: RecordWork) {
        // The writer ends only with the keeper or the daemon.
        let _ = self.records.send(work);
    }

    fn begin_login(
        &mut self,
        id: SignInId,
        login: impl Future<Output = Result<Granted, SignInFailure>> + Send + 'static,
        (prompt, keep): (oneshot::Receiver<PendingSignIn>, Keep),
    ) {
        self.login = CancellationToken::new();
        self.gate = keep.open;
        let answered = keep.answered;
        let (aborted, tasks, events) = (self.login.clone(), self.house.tasks.clone(), self.events.clone());
        self.house.tasks.errand("sign in", async move {
            tokio::select! {
                () = aborted.cancelled() => {}
                () = tasks.stopping() => {}
                () = run_login(id, login, (prompt, answered), events) => {}
            }
        });
    }
}

async fn run_login(
    id: SignInId,
    login: impl Future<Output = Result<Granted, SignInFailure>>,
    (mut prompt, mut answered): (oneshot::Receiver<PendingSignIn>, oneshot::Receiver<()>),
    events: Teller,
) {
    tokio::pin!(login);
    let result = loop {
        tokio::select! {
            biased;
            Ok(pending) = &mut prompt, if !prompt.is_terminated() => events.tell(Event::SignInPrompted(id, pending)),
            Ok(()) = &mut answered, if !answered.is_terminated() => events.tell(Event::SignInAnswered(id)),
            result = &mut login => break result,
        }
    };
    // The login may have prompted and ended in one breath: the prompt comes first all the same.
    if let Ok(pending) = prompt.try_recv() {
        events.tell(Event::SignInPrompted(id, pending));
    }
    events.tell(Event::SignInSettled(id, result));
}

async fn write_records(house: House, account: AccountName, mut work: mpsc::UnboundedReceiver<RecordWork>, events: Teller) {
    let (name, vault) = (&account, &house.vault);
    while let Some(work) = work.recv().await {
        let event = match work {
            RecordWork::Load => Event::Loaded(vault.load(name).await),
            RecordWork::SaveGrant(id, record) => Event::GrantSaved(id, vault.save_grant(name, *record).await),
            RecordWork::SaveSignIn(record) => Event::SignInSaved(vault.save_sign_in(name, *record).await),
            RecordWork::ForgetGrant(id) => Event::GrantForgotten(id, vault.forget_grant(name).await),
            RecordWork::ForgetSignIn(id) => Event::SignInForgotten(id, vault.forget_sign_in(name).await),
        };
        events.tell(event);
    }
}
