-- The folder of this machine that the task works in, without links; null: in one of its own.
alter table task add column workdir text;
