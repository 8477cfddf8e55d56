CREATE TABLE api_keys (
	id UUID NOT NULL,
	tenant_id UUID NOT NULL,
	name TEXT NOT NULL,
	prefix TEXT NOT NULL,
	hash BYTEA NOT NULL,
	scopes TEXT NOT NULL,
	created_at BIGINT NOT NULL,
	expires_at BIGINT,
	last_used_at BIGINT,
	revoked_at BIGINT,
	PRIMARY KEY (id),
	UNIQUE (hash)
);
CREATE TABLE attempts (
	id UUID NOT NULL,
	tenant_id UUID NOT NULL,
	message_id UUID NOT NULL,
	account_id UUID NOT NULL,
	number SMALLINT NOT NULL,
	started_at BIGINT NOT NULL,
	ended_at BIGINT,
	outcome TEXT NOT NULL,
	error_class TEXT,
	code TEXT,
	detail TEXT,
	http_status SMALLINT,
	carrier_ref TEXT,
	charge TEXT,
	PRIMARY KEY (id)
);
CREATE INDEX ix_attempts_message ON attempts (message_id);
CREATE TABLE audit (
	id UUID NOT NULL,
	tenant_id UUID,
	at BIGINT NOT NULL,
	actor TEXT NOT NULL,
	action TEXT NOT NULL,
	object TEXT NOT NULL,
	details TEXT,
	seq BIGINT,
	seal BYTEA,
	PRIMARY KEY (id),
	UNIQUE (seq)
);
CREATE INDEX ix_audit_tenant ON audit (tenant_id, id);
CREATE INDEX ix_audit_unsealed ON audit (id) WHERE seq IS NULL;
CREATE TABLE balances (
	tenant_id UUID NOT NULL,
	currency TEXT NOT NULL,
	micros BIGINT NOT NULL,
	PRIMARY KEY (tenant_id)
);
CREATE TABLE buckets (
	account_id UUID NOT NULL,
	sender_id TEXT NOT NULL,
	tokens FLOAT(53) NOT NULL,
	updated_at BIGINT NOT NULL,
	slowed_until BIGINT,
	paused_until BIGINT,
	PRIMARY KEY (account_id, sender_id)
);
CREATE TABLE callback_endpoints (
	id UUID NOT NULL,
	tenant_id UUID NOT NULL,
	url TEXT NOT NULL,
	types TEXT NOT NULL,
	secret BYTEA NOT NULL,
	status TEXT NOT NULL,
	failing_since BIGINT,
	created_at BIGINT NOT NULL,
	PRIMARY KEY (id)
);
CREATE INDEX ix_callback_endpoints_tenant ON callback_endpoints (tenant_id, id);
CREATE TABLE callbacks (
	id UUID NOT NULL,
	tenant_id UUID NOT NULL,
	endpoint_id UUID NOT NULL,
	type TEXT NOT NULL,
	message_id UUID,
	reply_id UUID,
	contact_id UUID,
	body BYTEA NOT NULL,
	created_at BIGINT NOT NULL,
	status SMALLINT NOT NULL,
	attempts SMALLINT NOT NULL,
	due BIGINT NOT NULL,
	owner UUID,
	error TEXT,
	PRIMARY KEY (id)
);
CREATE INDEX ix_callbacks_contact ON callbacks (contact_id) WHERE contact_id IS NOT NULL;
CREATE INDEX ix_callbacks_due ON callbacks (endpoint_id, due, id) WHERE status = 0;
CREATE INDEX ix_callbacks_endpoint ON callbacks (endpoint_id, id);
CREATE INDEX ix_callbacks_owner ON callbacks (owner) WHERE status = 1;
CREATE TABLE carrier_accounts (
	id UUID NOT NULL,
	tenant_id UUID NOT NULL,
	carrier TEXT NOT NULL,
	name TEXT NOT NULL,
	key_hash BYTEA NOT NULL,
	key_sealed BYTEA NOT NULL,
	credentials BYTEA NOT NULL,
	secrets_old BYTEA,
	settings TEXT NOT NULL,
	status TEXT NOT NULL,
	status_detail TEXT NOT NULL,
	created_at BIGINT NOT NULL,
	updated_at BIGINT NOT NULL,
	PRIMARY KEY (id),
	UNIQUE (key_hash)
);
CREATE INDEX ix_carrier_accounts_tenant ON carrier_accounts (tenant_id, id);
CREATE TABLE consents (
	id UUID NOT NULL,
	tenant_id UUID NOT NULL,
	contact_id UUID NOT NULL,
	purpose TEXT,
	state TEXT NOT NULL,
	source TEXT NOT NULL,
	at BIGINT NOT NULL,
	recorded_at BIGINT NOT NULL,
	event_id UUID,
	reply_id UUID,
	author TEXT,
	proof BYTEA,
	person_hash BYTEA,
	PRIMARY KEY (id)
);
CREATE INDEX ix_consents_contact ON consents (contact_id, id);
CREATE INDEX ix_consents_person ON consents (person_hash) WHERE person_hash IS NOT NULL;
CREATE TABLE contacts (
	id UUID NOT NULL,
	tenant_id UUID NOT NULL,
	msisdn_ix BYTEA NOT NULL,
	msisdn BYTEA,
	country TEXT NOT NULL,
	timezone TEXT NOT NULL,
	transactional TEXT,
	transactional_at BIGINT,
	transactional_by TEXT,
	marketing TEXT,
	marketing_at BIGINT,
	marketing_by TEXT,
	otp TEXT,
	otp_at BIGINT,
	otp_by TEXT,
	suppressed TEXT,
	suppressed_at BIGINT,
	consent_marks TEXT,
	created_at BIGINT NOT NULL,
	PRIMARY KEY (id),
	UNIQUE (tenant_id, msisdn_ix)
);
CREATE TABLE deadlines (
	id UUID NOT NULL,
	tenant_id UUID NOT NULL,
	installation_id UUID NOT NULL,
	kind TEXT NOT NULL,
	stage TEXT NOT NULL,
	key_hash BYTEA NOT NULL,
	about BYTEA NOT NULL,
	due BIGINT NOT NULL,
	status SMALLINT NOT NULL,
	content BYTEA,
	source_id UUID,
	event_id UUID,
	attempts SMALLINT NOT NULL,
	error TEXT,
	updated_at BIGINT NOT NULL,
	PRIMARY KEY (id),
	UNIQUE (installation_id, key_hash)
);
CREATE INDEX ix_deadlines_about ON deadlines (installation_id, about);
CREATE INDEX ix_deadlines_due ON deadlines (due) WHERE status = 0;
CREATE INDEX ix_deadlines_ended ON deadlines (updated_at) WHERE status > 0;
CREATE TABLE decisions (
	event_id UUID NOT NULL,
	tenant_id UUID NOT NULL,
	at BIGINT NOT NULL,
	entries TEXT NOT NULL,
	PRIMARY KEY (event_id)
);
CREATE TABLE dlrs (
	id UUID NOT NULL,
	tenant_id UUID NOT NULL,
	account_id UUID NOT NULL,
	message_id UUID,
	carrier_ref TEXT NOT NULL,
	status TEXT,
	raw_status TEXT NOT NULL,
	raw_code TEXT NOT NULL,
	error_class TEXT,
	details TEXT,
	received_at BIGINT NOT NULL,
	parked BOOLEAN NOT NULL,
	PRIMARY KEY (id)
);
CREATE INDEX ix_dlrs_message ON dlrs (message_id);
CREATE INDEX ix_dlrs_parked ON dlrs (account_id, carrier_ref) WHERE parked;
CREATE TABLE events (
	id UUID NOT NULL,
	tenant_id UUID NOT NULL,
	installation_id UUID,
	connector TEXT NOT NULL,
	type TEXT NOT NULL,
	subject TEXT NOT NULL,
	status SMALLINT NOT NULL,
	occurred_at BIGINT NOT NULL,
	received_at BIGINT NOT NULL,
	content BYTEA,
	attempts SMALLINT NOT NULL,
	away SMALLINT,
	due BIGINT,
	error TEXT,
	owner UUID,
	PRIMARY KEY (id)
);
CREATE INDEX ix_events_dead ON events (tenant_id) WHERE status = 3;
CREATE INDEX ix_events_pending ON events (due) WHERE status < 2;
CREATE INDEX ix_events_tenant ON events (tenant_id, id);
CREATE TABLE idempotency (
	tenant_id UUID NOT NULL,
	key_hash BYTEA NOT NULL,
	body_hash BYTEA NOT NULL,
	status SMALLINT NOT NULL,
	answer BYTEA,
	created_at BIGINT NOT NULL,
	PRIMARY KEY (tenant_id, key_hash)
);
CREATE INDEX ix_idempotency_created ON idempotency (created_at);
CREATE TABLE installations (
	id UUID NOT NULL,
	tenant_id UUID NOT NULL,
	connector TEXT NOT NULL,
	name TEXT NOT NULL,
	key_hash BYTEA NOT NULL,
	key_sealed BYTEA NOT NULL,
	account_ref TEXT NOT NULL,
	client_id TEXT NOT NULL,
	credentials BYTEA NOT NULL,
	secrets_old BYTEA,
	settings TEXT NOT NULL,
	cursor TEXT NOT NULL,
	status TEXT NOT NULL,
	status_detail TEXT NOT NULL,
	country TEXT NOT NULL,
	locale TEXT NOT NULL,
	timezone TEXT NOT NULL,
	installed_at BIGINT NOT NULL,
	reported TEXT,
	reconcile_due BIGINT,
	renew_until BIGINT,
	created_at BIGINT NOT NULL,
	updated_at BIGINT NOT NULL,
	PRIMARY KEY (id),
	UNIQUE (key_hash)
);
CREATE INDEX ix_installations_account ON installations (connector, account_ref);
CREATE INDEX ix_installations_tenant ON installations (tenant_id, id);
CREATE TABLE jobs (
	id UUID NOT NULL,
	tenant_id UUID NOT NULL,
	kind TEXT NOT NULL,
	status TEXT NOT NULL,
	total INTEGER NOT NULL,
	done INTEGER NOT NULL,
	result TEXT NOT NULL,
	created_at BIGINT NOT NULL,
	updated_at BIGINT NOT NULL,
	PRIMARY KEY (id)
);
CREATE INDEX ix_jobs_tenant ON jobs (tenant_id, id);
CREATE TABLE ledger (
	id UUID NOT NULL,
	tenant_id UUID NOT NULL,
	kind TEXT NOT NULL,
	micros BIGINT NOT NULL,
	currency TEXT NOT NULL,
	messages INTEGER NOT NULL,
	note TEXT NOT NULL,
	at BIGINT NOT NULL,
	PRIMARY KEY (id)
);
CREATE INDEX ix_ledger_credit ON ledger (tenant_id) WHERE kind = 'credit';
CREATE INDEX ix_ledger_tenant ON ledger (tenant_id, id);
CREATE TABLE messages (
	id UUID NOT NULL,
	tenant_id UUID NOT NULL,
	contact_id UUID,
	event_id UUID,
	trigger_id UUID,
	installation_id UUID,
	subject TEXT,
	customer_ref TEXT,
	status SMALLINT NOT NULL,
	reason TEXT,
	lane SMALLINT NOT NULL,
	purpose TEXT NOT NULL,
	basis TEXT NOT NULL,
	template TEXT,
	template_version INTEGER,
	locale TEXT,
	options TEXT,
	account_id UUID,
	sender_id TEXT,
	wanted_carrier TEXT,
	tried TEXT,
	text BYTEA,
	encoding TEXT,
	segments SMALLINT,
	country TEXT,
	due BIGINT NOT NULL,
	send_at BIGINT NOT NULL,
	expires_at BIGINT NOT NULL,
	created_at BIGINT NOT NULL,
	updated_at BIGINT NOT NULL,
	attempts SMALLINT NOT NULL,
	owner UUID,
	epoch INTEGER NOT NULL,
	carrier_ref TEXT,
	handed_over_at BIGINT,
	dlr_due BIGINT,
	parts TEXT,
	price TEXT,
	currency TEXT,
	reference TEXT,
	metadata BYTEA,
	notes TEXT,
	PRIMARY KEY (id)
);
CREATE INDEX ix_messages_claim ON messages (account_id, lane, due, id) WHERE status < 2;
CREATE INDEX ix_messages_contact ON messages (contact_id, id);
CREATE INDEX ix_messages_event ON messages (tenant_id, event_id) WHERE event_id IS NOT NULL;
CREATE INDEX ix_messages_owner ON messages (owner) WHERE status = 2;
CREATE INDEX ix_messages_ref ON messages (account_id, carrier_ref) WHERE carrier_ref IS NOT NULL;
CREATE INDEX ix_messages_subject ON messages (tenant_id, subject) WHERE status < 2 AND tenant_id IS NOT NULL;
CREATE INDEX ix_messages_tenant ON messages (tenant_id, id);
CREATE TABLE meta (
	name TEXT NOT NULL,
	value BYTEA NOT NULL,
	PRIMARY KEY (name)
);
CREATE TABLE object_versions (
	installation_id UUID NOT NULL,
	key_hash BYTEA NOT NULL,
	version BIGINT NOT NULL,
	at BIGINT NOT NULL,
	PRIMARY KEY (installation_id, key_hash)
);
CREATE INDEX ix_object_versions_at ON object_versions (at);
CREATE TABLE privacy_requests (
	id UUID NOT NULL,
	tenant_id UUID NOT NULL,
	installation_id UUID,
	event_id UUID,
	kind TEXT NOT NULL,
	status SMALLINT NOT NULL,
	wanted BYTEA,
	result BYTEA,
	attempts SMALLINT NOT NULL,
	due BIGINT NOT NULL,
	error TEXT,
	created_at BIGINT NOT NULL,
	done_at BIGINT,
	PRIMARY KEY (id)
);
CREATE INDEX ix_privacy_requests_due ON privacy_requests (due) WHERE status < 2;
CREATE INDEX ix_privacy_requests_tenant ON privacy_requests (tenant_id, id);
CREATE TABLE replies (
	id UUID NOT NULL,
	tenant_id UUID NOT NULL,
	account_id UUID NOT NULL,
	contact_id UUID,
	message_id UUID,
	msisdn BYTEA NOT NULL,
	text BYTEA NOT NULL,
	normalised BYTEA,
	"to" TEXT NOT NULL,
	kind TEXT,
	rule TEXT,
	status TEXT NOT NULL,
	carrier_ref TEXT,
	part_ref TEXT,
	part SMALLINT,
	parts SMALLINT,
	received_at BIGINT NOT NULL,
	passed TEXT,
	answer TEXT,
	answers TEXT,
	passed_to UUID,
	error TEXT,
	PRIMARY KEY (id)
);
CREATE INDEX ix_replies_contact ON replies (contact_id, id);
CREATE INDEX ix_replies_dead ON replies (tenant_id, passed, id) WHERE passed = 'dead';
CREATE INDEX ix_replies_parts ON replies (account_id, part_ref) WHERE status = 'part';
CREATE INDEX ix_replies_tenant ON replies (tenant_id, id);
CREATE TABLE route_policies (
	tenant_id UUID NOT NULL,
	version INTEGER NOT NULL,
	policy TEXT NOT NULL,
	author TEXT NOT NULL,
	created_at BIGINT NOT NULL,
	PRIMARY KEY (tenant_id, version)
);
CREATE TABLE seen (
	key_hash BYTEA NOT NULL,
	kind SMALLINT NOT NULL,
	scope_id UUID NOT NULL,
	at BIGINT NOT NULL,
	PRIMARY KEY (key_hash, kind, scope_id)
);
CREATE INDEX ix_seen_at ON seen (at);
CREATE TABLE staff (
	id UUID NOT NULL,
	tenant_id UUID NOT NULL,
	ref TEXT NOT NULL,
	contact_id UUID,
	name BYTEA,
	msisdn BYTEA,
	email BYTEA,
	locale TEXT NOT NULL,
	timezone TEXT NOT NULL,
	country TEXT NOT NULL,
	manager_ref TEXT,
	active BOOLEAN NOT NULL,
	told_at BIGINT NOT NULL,
	created_at BIGINT NOT NULL,
	updated_at BIGINT NOT NULL,
	PRIMARY KEY (id),
	UNIQUE (tenant_id, ref)
);
CREATE INDEX ix_staff_contact ON staff (contact_id);
CREATE INDEX ix_staff_tenant ON staff (tenant_id, id);
CREATE TABLE staff_refs (
	id UUID NOT NULL,
	tenant_id UUID NOT NULL,
	staff_id UUID NOT NULL,
	contact_id UUID,
	system TEXT NOT NULL,
	ref TEXT NOT NULL,
	PRIMARY KEY (id),
	UNIQUE (tenant_id, system, ref)
);
CREATE INDEX ix_staff_refs_staff ON staff_refs (staff_id);
CREATE TABLE template_versions (
	template_id UUID NOT NULL,
	number INTEGER NOT NULL,
	tenant_id UUID NOT NULL,
	state TEXT NOT NULL,
	bodies TEXT NOT NULL,
	author TEXT NOT NULL,
	approver TEXT,
	created_at BIGINT NOT NULL,
	approved_at BIGINT,
	retired_at BIGINT,
	PRIMARY KEY (template_id, number)
);
CREATE TABLE templates (
	id UUID NOT NULL,
	tenant_id UUID NOT NULL,
	name TEXT NOT NULL,
	purpose TEXT NOT NULL,
	options TEXT NOT NULL,
	created_at BIGINT NOT NULL,
	deleted_at BIGINT,
	PRIMARY KEY (id),
	UNIQUE (tenant_id, name)
);
CREATE TABLE tenants (
	id UUID NOT NULL,
	slug TEXT NOT NULL,
	name TEXT NOT NULL,
	country TEXT NOT NULL,
	locale TEXT NOT NULL,
	timezone TEXT NOT NULL,
	settings TEXT NOT NULL,
	config_version INTEGER NOT NULL,
	index_key BYTEA NOT NULL,
	created_at BIGINT NOT NULL,
	PRIMARY KEY (id),
	UNIQUE (slug)
);
CREATE TABLE triggers (
	id UUID NOT NULL,
	tenant_id UUID NOT NULL,
	name TEXT NOT NULL,
	connector TEXT NOT NULL,
	installation_id UUID,
	event TEXT NOT NULL,
	definition TEXT NOT NULL,
	state TEXT NOT NULL,
	active_from BIGINT,
	created_at BIGINT NOT NULL,
	updated_at BIGINT NOT NULL,
	PRIMARY KEY (id)
);
CREATE INDEX ix_triggers_tenant ON triggers (tenant_id, id);
CREATE TABLE workers (
	id UUID NOT NULL,
	kind TEXT NOT NULL,
	pid INTEGER NOT NULL,
	host TEXT NOT NULL,
	beat BIGINT NOT NULL,
	started_at BIGINT NOT NULL,
	beat_at BIGINT NOT NULL,
	PRIMARY KEY (id)
);
CREATE TABLE write_backs (
	id UUID NOT NULL,
	tenant_id UUID NOT NULL,
	installation_id UUID NOT NULL,
	kind TEXT NOT NULL,
	subject TEXT NOT NULL,
	customer_ref TEXT,
	message_id UUID,
	contact_id UUID,
	reply_id UUID,
	value TEXT NOT NULL,
	details TEXT,
	at BIGINT NOT NULL,
	status SMALLINT NOT NULL,
	attempts SMALLINT NOT NULL,
	due BIGINT NOT NULL,
	owner UUID,
	error TEXT,
	updated_at BIGINT NOT NULL,
	PRIMARY KEY (id)
);
CREATE INDEX ix_write_backs_contact ON write_backs (contact_id) WHERE contact_id IS NOT NULL;
CREATE INDEX ix_write_backs_due ON write_backs (installation_id, due, id) WHERE status = 0;
CREATE INDEX ix_write_backs_message ON write_backs (message_id);
CREATE INDEX ix_write_backs_object ON write_backs (installation_id, subject) WHERE status < 2;
CREATE INDEX ix_write_backs_owner ON write_backs (owner) WHERE status = 1;
