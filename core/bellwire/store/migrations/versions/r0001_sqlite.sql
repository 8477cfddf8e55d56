CREATE TABLE api_keys (
	id BLOB NOT NULL,
	tenant_id BLOB NOT NULL,
	name TEXT NOT NULL,
	prefix TEXT NOT NULL,
	hash BLOB NOT NULL,
	scopes TEXT NOT NULL,
	created_at BIGINT NOT NULL,
	expires_at BIGINT,
	last_used_at BIGINT,
	revoked_at BIGINT,
	PRIMARY KEY (id),
	UNIQUE (hash)
);
CREATE TABLE attempts (
	id BLOB NOT NULL,
	tenant_id BLOB NOT NULL,
	message_id BLOB NOT NULL,
	account_id BLOB NOT NULL,
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
	id BLOB NOT NULL,
	tenant_id BLOB,
	at BIGINT NOT NULL,
	actor TEXT NOT NULL,
	action TEXT NOT NULL,
	object TEXT NOT NULL,
	details TEXT,
	seq BIGINT,
	seal BLOB,
	PRIMARY KEY (id),
	UNIQUE (seq)
);
CREATE INDEX ix_audit_tenant ON audit (tenant_id, id);
CREATE INDEX ix_audit_unsealed ON audit (id) WHERE seq IS NULL;
CREATE TABLE balances (
	tenant_id BLOB NOT NULL,
	currency TEXT NOT NULL,
	micros BIGINT NOT NULL,
	PRIMARY KEY (tenant_id)
);
CREATE TABLE buckets (
	account_id BLOB NOT NULL,
	sender_id TEXT NOT NULL,
	tokens FLOAT NOT NULL,
	updated_at BIGINT NOT NULL,
	slowed_until BIGINT,
	paused_until BIGINT,
	PRIMARY KEY (account_id, sender_id)
);
CREATE TABLE callback_endpoints (
	id BLOB NOT NULL,
	tenant_id BLOB NOT NULL,
	url TEXT NOT NULL,
	types TEXT NOT NULL,
	secret BLOB NOT NULL,
	status TEXT NOT NULL,
	failing_since BIGINT,
	created_at BIGINT NOT NULL,
	PRIMARY KEY (id)
);
CREATE INDEX ix_callback_endpoints_tenant ON callback_endpoints (tenant_id, id);
CREATE TABLE callbacks (
	id BLOB NOT NULL,
	tenant_id BLOB NOT NULL,
	endpoint_id BLOB NOT NULL,
	type TEXT NOT NULL,
	message_id BLOB,
	reply_id BLOB,
	contact_id BLOB,
	body BLOB NOT NULL,
	created_at BIGINT NOT NULL,
	status SMALLINT NOT NULL,
	attempts SMALLINT NOT NULL,
	due BIGINT NOT NULL,
	owner BLOB,
	error TEXT,
	PRIMARY KEY (id)
);
CREATE INDEX ix_callbacks_contact ON callbacks (contact_id) WHERE contact_id IS NOT NULL;
CREATE INDEX ix_callbacks_due ON callbacks (endpoint_id, due, id) WHERE status = 0;
CREATE INDEX ix_callbacks_endpoint ON callbacks (endpoint_id, id);
CREATE INDEX ix_callbacks_owner ON callbacks (owner) WHERE status = 1;
CREATE TABLE carrier_accounts (
	id BLOB NOT NULL,
	tenant_id BLOB NOT NULL,
	carrier TEXT NOT NULL,
	name TEXT NOT NULL,
	key_hash BLOB NOT NULL,
	key_sealed BLOB NOT NULL,
	credentials BLOB NOT NULL,
	secrets_old BLOB,
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
	id BLOB NOT NULL,
	tenant_id BLOB NOT NULL,
	contact_id BLOB NOT NULL,
	purpose TEXT,
	state TEXT NOT NULL,
	source TEXT NOT NULL,
	at BIGINT NOT NULL,
	recorded_at BIGINT NOT NULL,
	event_id BLOB,
	reply_id BLOB,
	author TEXT,
	proof BLOB,
	person_hash BLOB,
	PRIMARY KEY (id)
);
CREATE INDEX ix_consents_contact ON consents (contact_id, id);
CREATE INDEX ix_consents_person ON consents (person_hash) WHERE person_hash IS NOT NULL;
CREATE TABLE contacts (
	id BLOB NOT NULL,
	tenant_id BLOB NOT NULL,
	msisdn_ix BLOB NOT NULL,
	msisdn BLOB,
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
	id BLOB NOT NULL,
	tenant_id BLOB NOT NULL,
	installation_id BLOB NOT NULL,
	kind TEXT NOT NULL,
	stage TEXT NOT NULL,
	key_hash BLOB NOT NULL,
	about BLOB NOT NULL,
	due BIGINT NOT NULL,
	status SMALLINT NOT NULL,
	content BLOB,
	source_id BLOB,
	event_id BLOB,
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
	event_id BLOB NOT NULL,
	tenant_id BLOB NOT NULL,
	at BIGINT NOT NULL,
	entries TEXT NOT NULL,
	PRIMARY KEY (event_id)
);
CREATE TABLE dlrs (
	id BLOB NOT NULL,
	tenant_id BLOB NOT NULL,
	account_id BLOB NOT NULL,
	message_id BLOB,
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
	id BLOB NOT NULL,
	tenant_id BLOB NOT NULL,
	installation_id BLOB,
	connector TEXT NOT NULL,
	type TEXT NOT NULL,
	subject TEXT NOT NULL,
	status SMALLINT NOT NULL,
	occurred_at BIGINT NOT NULL,
	received_at BIGINT NOT NULL,
	content BLOB,
	attempts SMALLINT NOT NULL,
	away SMALLINT,
	due BIGINT,
	error TEXT,
	owner BLOB,
	PRIMARY KEY (id)
);
CREATE INDEX ix_events_dead ON events (tenant_id) WHERE status = 3;
CREATE INDEX ix_events_pending ON events (due) WHERE status < 2;
CREATE INDEX ix_events_tenant ON events (tenant_id, id);
CREATE TABLE idempotency (
	tenant_id BLOB NOT NULL,
	key_hash BLOB NOT NULL,
	body_hash BLOB NOT NULL,
	status SMALLINT NOT NULL,
	answer BLOB,
	created_at BIGINT NOT NULL,
	PRIMARY KEY (tenant_id, key_hash)
);
CREATE INDEX ix_idempotency_created ON idempotency (created_at);
CREATE TABLE installations (
	id BLOB NOT NULL,
	tenant_id BLOB NOT NULL,
	connector TEXT NOT NULL,
	name TEXT NOT NULL,
	key_hash BLOB NOT NULL,
	key_sealed BLOB NOT NULL,
	account_ref TEXT NOT NULL,
	client_id TEXT NOT NULL,
	credentials BLOB NOT NULL,
	secrets_old BLOB,
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
	id BLOB NOT NULL,
	tenant_id BLOB NOT NULL,
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
	id BLOB NOT NULL,
	tenant_id BLOB NOT NULL,
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
	id BLOB NOT NULL,
	tenant_id BLOB NOT NULL,
	contact_id BLOB,
	event_id BLOB,
	trigger_id BLOB,
	installation_id BLOB,
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
	account_id BLOB,
	sender_id TEXT,
	wanted_carrier TEXT,
	tried TEXT,
	text BLOB,
	encoding TEXT,
	segments SMALLINT,
	country TEXT,
	due BIGINT NOT NULL,
	send_at BIGINT NOT NULL,
	expires_at BIGINT NOT NULL,
	created_at BIGINT NOT NULL,
	updated_at BIGINT NOT NULL,
	attempts SMALLINT NOT NULL,
	owner BLOB,
	epoch INTEGER NOT NULL,
	carrier_ref TEXT,
	handed_over_at BIGINT,
	dlr_due BIGINT,
	parts TEXT,
	price TEXT,
	currency TEXT,
	reference TEXT,
	metadata BLOB,
	notes TEXT,
	PRIMARY KEY (id)
);
CREATE INDEX ix_messages_claim ON messages (account_id, lane, due, id) WHERE status < 2;
CREATE INDEX ix_messages_contact ON messages (contact_id, id);
CREATE INDEX ix_messages_event ON messages (tenant_id, event_id) WHERE event_id IS NOT NULL;
CREATE INDEX ix_messages_owner ON messages (owner) WHERE status = 2;
CREATE INDEX ix_messages_ref ON messages (account_id, carrier_ref) WHERE carrier_ref IS NOT NULL;
CREATE INDEX ix_messages_subject ON messages (tenant_id, subject) WHERE status < 2;
CREATE INDEX ix_messages_tenant ON messages (tenant_id, id);
CREATE TABLE meta (
	name TEXT NOT NULL,
	value BLOB NOT NULL,
	PRIMARY KEY (name)
);
CREATE TABLE object_versions (
	installation_id BLOB NOT NULL,
	key_hash BLOB NOT NULL,
	version BIGINT NOT NULL,
	at BIGINT NOT NULL,
	PRIMARY KEY (installation_id, key_hash)
)
 WITHOUT ROWID;
CREATE INDEX ix_object_versions_at ON object_versions (at);
CREATE TABLE privacy_requests (
	id BLOB NOT NULL,
	tenant_id BLOB NOT NULL,
	installation_id BLOB,
	event_id BLOB,
	kind TEXT NOT NULL,
	status SMALLINT NOT NULL,
	wanted BLOB,
	result BLOB,
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
	id BLOB NOT NULL,
	tenant_id BLOB NOT NULL,
	account_id BLOB NOT NULL,
	contact_id BLOB,
	message_id BLOB,
	msisdn BLOB NOT NULL,
	text BLOB NOT NULL,
	normalised BLOB,
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
	passed_to BLOB,
	error TEXT,
	PRIMARY KEY (id)
);
CREATE INDEX ix_replies_contact ON replies (contact_id, id);
CREATE INDEX ix_replies_dead ON replies (tenant_id, passed, id) WHERE passed = 'dead';
CREATE INDEX ix_replies_parts ON replies (account_id, part_ref) WHERE status = 'part';
CREATE INDEX ix_replies_tenant ON replies (tenant_id, id);
CREATE TABLE route_policies (
	tenant_id BLOB NOT NULL,
	version INTEGER NOT NULL,
	policy TEXT NOT NULL,
	author TEXT NOT NULL,
	created_at BIGINT NOT NULL,
	PRIMARY KEY (tenant_id, version)
);
CREATE TABLE seen (
	key_hash BLOB NOT NULL,
	kind SMALLINT NOT NULL,
	scope_id BLOB NOT NULL,
	at BIGINT NOT NULL,
	PRIMARY KEY (key_hash, kind, scope_id)
)
 WITHOUT ROWID;
CREATE INDEX ix_seen_at ON seen (at);
CREATE TABLE staff (
	id BLOB NOT NULL,
	tenant_id BLOB NOT NULL,
	ref TEXT NOT NULL,
	contact_id BLOB,
	name BLOB,
	msisdn BLOB,
	email BLOB,
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
	id BLOB NOT NULL,
	tenant_id BLOB NOT NULL,
	staff_id BLOB NOT NULL,
	contact_id BLOB,
	system TEXT NOT NULL,
	ref TEXT NOT NULL,
	PRIMARY KEY (id),
	UNIQUE (tenant_id, system, ref)
);
CREATE INDEX ix_staff_refs_staff ON staff_refs (staff_id);
CREATE TABLE template_versions (
	template_id BLOB NOT NULL,
	number INTEGER NOT NULL,
	tenant_id BLOB NOT NULL,
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
	id BLOB NOT NULL,
	tenant_id BLOB NOT NULL,
	name TEXT NOT NULL,
	purpose TEXT NOT NULL,
	options TEXT NOT NULL,
	created_at BIGINT NOT NULL,
	deleted_at BIGINT,
	PRIMARY KEY (id),
	UNIQUE (tenant_id, name)
);
CREATE TABLE tenants (
	id BLOB NOT NULL,
	slug TEXT NOT NULL,
	name TEXT NOT NULL,
	country TEXT NOT NULL,
	locale TEXT NOT NULL,
	timezone TEXT NOT NULL,
	settings TEXT NOT NULL,
	config_version INTEGER NOT NULL,
	index_key BLOB NOT NULL,
	created_at BIGINT NOT NULL,
	PRIMARY KEY (id),
	UNIQUE (slug)
);
CREATE TABLE triggers (
	id BLOB NOT NULL,
	tenant_id BLOB NOT NULL,
	name TEXT NOT NULL,
	connector TEXT NOT NULL,
	installation_id BLOB,
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
	id BLOB NOT NULL,
	kind TEXT NOT NULL,
	pid INTEGER NOT NULL,
	host TEXT NOT NULL,
	beat BIGINT NOT NULL,
	started_at BIGINT NOT NULL,
	beat_at BIGINT NOT NULL,
	PRIMARY KEY (id)
);
CREATE TABLE write_backs (
	id BLOB NOT NULL,
	tenant_id BLOB NOT NULL,
	installation_id BLOB NOT NULL,
	kind TEXT NOT NULL,
	subject TEXT NOT NULL,
	customer_ref TEXT,
	message_id BLOB,
	contact_id BLOB,
	reply_id BLOB,
	value TEXT NOT NULL,
	details TEXT,
	at BIGINT NOT NULL,
	status SMALLINT NOT NULL,
	attempts SMALLINT NOT NULL,
	due BIGINT NOT NULL,
	owner BLOB,
	error TEXT,
	updated_at BIGINT NOT NULL,
	PRIMARY KEY (id)
);
CREATE INDEX ix_write_backs_contact ON write_backs (contact_id) WHERE contact_id IS NOT NULL;
CREATE INDEX ix_write_backs_due ON write_backs (installation_id, due, id) WHERE status = 0;
CREATE INDEX ix_write_backs_message ON write_backs (message_id);
CREATE INDEX ix_write_backs_object ON write_backs (installation_id, subject) WHERE status < 2;
CREATE INDEX ix_write_backs_owner ON write_backs (owner) WHERE status = 1;
ANALYZE sqlite_master;
INSERT INTO sqlite_stat1 (tbl, idx, stat) VALUES
	('attempts', NULL, '1000000'),
	('attempts', 'ix_attempts_message', '1000000 2'),
	('attempts', 'sqlite_autoindex_attempts_1', '1000000 1'),
	('audit', NULL, '1000000'),
	('audit', 'ix_audit_unsealed', '100 1'),
	('audit', 'ix_audit_tenant', '1000000 100000 1'),
	('audit', 'sqlite_autoindex_audit_2', '1000000 1'),
	('audit', 'sqlite_autoindex_audit_1', '1000000 1'),
	('callbacks', NULL, '1000000'),
	('callbacks', 'ix_callbacks_owner', '100 20'),
	('callbacks', 'ix_callbacks_endpoint', '1000000 100000 1'),
	('callbacks', 'ix_callbacks_due', '10000 1000 5 1'),
	('callbacks', 'ix_callbacks_contact', '10000 5'),
	('callbacks', 'sqlite_autoindex_callbacks_1', '1000000 1'),
	('consents', NULL, '1000000'),
	('consents', 'ix_consents_person', '100000 2'),
	('consents', 'ix_consents_contact', '1000000 2 1'),
	('consents', 'sqlite_autoindex_consents_1', '1000000 1'),
	('contacts', NULL, '1000000'),
	('contacts', 'sqlite_autoindex_contacts_2', '1000000 100000 1'),
	('contacts', 'sqlite_autoindex_contacts_1', '1000000 1'),
	('deadlines', NULL, '100000'),
	('deadlines', 'ix_deadlines_ended', '90000 2'),
	('deadlines', 'ix_deadlines_due', '10000 2'),
	('deadlines', 'ix_deadlines_about', '100000 10000 3'),
	('deadlines', 'sqlite_autoindex_deadlines_2', '100000 10000 1'),
	('deadlines', 'sqlite_autoindex_deadlines_1', '100000 1'),
	('decisions', NULL, '1000000'),
	('decisions', 'sqlite_autoindex_decisions_1', '1000000 1'),
	('dlrs', NULL, '1000000'),
	('dlrs', 'ix_dlrs_parked', '100 50 1'),
	('dlrs', 'ix_dlrs_message', '1000000 2'),
	('dlrs', 'sqlite_autoindex_dlrs_1', '1000000 1'),
	('events', NULL, '1000000'),
	('events', 'ix_events_tenant', '1000000 100000 1'),
	('events', 'ix_events_pending', '100 1'),
	('events', 'ix_events_dead', '100 10'),
	('events', 'sqlite_autoindex_events_1', '1000000 1'),
	('idempotency', NULL, '50000'),
	('idempotency', 'ix_idempotency_created', '50000 1'),
	('idempotency', 'sqlite_autoindex_idempotency_1', '50000 5000 1'),
	('jobs', NULL, '10000'),
	('jobs', 'ix_jobs_tenant', '10000 1000 1'),
	('jobs', 'sqlite_autoindex_jobs_1', '10000 1'),
	('ledger', NULL, '1000000'),
	('ledger', 'ix_ledger_tenant', '1000000 100000 1'),
	('ledger', 'ix_ledger_credit', '100 10'),
	('ledger', 'sqlite_autoindex_ledger_1', '1000000 1'),
	('messages', NULL, '1000000'),
	('messages', 'ix_messages_tenant', '1000000 100000 1'),
	('messages', 'ix_messages_subject', '10000 5000 2'),
	('messages', 'ix_messages_ref', '1000000 100000 1'),
	('messages', 'ix_messages_owner', '200 50'),
	('messages', 'ix_messages_event', '1000000 100000 2'),
	('messages', 'ix_messages_contact', '1000000 10 1'),
	('messages', 'ix_messages_claim', '10000 5000 2000 2 1'),
	('messages', 'sqlite_autoindex_messages_1', '1000000 1'),
	('object_versions', NULL, '100000'),
	('object_versions', 'ix_object_versions_at', '100000 2'),
	('object_versions', 'object_versions', '100000 10000 1'),
	('replies', NULL, '100000'),
	('replies', 'ix_replies_tenant', '100000 10000 1'),
	('replies', 'ix_replies_parts', '100 20 2'),
	('replies', 'ix_replies_dead', '100 10 10 1'),
	('replies', 'ix_replies_contact', '100000 5 1'),
	('replies', 'sqlite_autoindex_replies_1', '100000 1'),
	('seen', NULL, '1000000'),
	('seen', 'ix_seen_at', '1000000 2'),
	('seen', 'seen', '1000000 2 1 1'),
	('staff', NULL, '10000'),
	('staff', 'ix_staff_tenant', '10000 1000 1'),
	('staff', 'ix_staff_contact', '10000 2'),
	('staff', 'sqlite_autoindex_staff_2', '10000 1000 1'),
	('staff', 'sqlite_autoindex_staff_1', '10000 1'),
	('staff_refs', NULL, '20000'),
	('staff_refs', 'ix_staff_refs_staff', '20000 2'),
	('staff_refs', 'sqlite_autoindex_staff_refs_2', '20000 2000 500 1'),
	('staff_refs', 'sqlite_autoindex_staff_refs_1', '20000 1'),
	('write_backs', NULL, '1000000'),
	('write_backs', 'ix_write_backs_owner', '100 20'),
	('write_backs', 'ix_write_backs_object', '10000 1000 2'),
	('write_backs', 'ix_write_backs_message', '1000000 3'),
	('write_backs', 'ix_write_backs_due', '10000 1000 5 1'),
	('write_backs', 'ix_write_backs_contact', '10000 5'),
	('write_backs', 'sqlite_autoindex_write_backs_1', '1000000 1');
