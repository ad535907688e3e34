from playground import run_cli
def test_x(finished_run, playground):
    import json,shutil
    print(json.dumps(json.loads((finished_run/'summary.json').read_text()))[:600])
    print((finished_run/'journal.jsonl').read_text().count('\n'))
    print([ (json.loads(l)['kind'], json.loads(l).get('id')) for l in (finished_run/'journal.jsonl').read_text().splitlines()])
    print((finished_run/'journal.jsonl').stat().st_size)
    c=playground.config_file; r=playground.folder/'r'
    for argv in (['serch'],['search'],['search',c,'--nope'],[],['check',c,'--set','foo'],['export',finished_run],['search',playground.folder/'no.yaml'],['search', c, '--run-dir', r, '--set','engine.device=cuda'],['search', c, '--run-dir', r, '--set','engine.device=foo'],['search', c, '--run-dir', r, '--set','composition.groups=foo'],['check',c,'--set','cluster={type: ray, workers: 50}'],['zoo','build','tinny','/tmp/x'],['zoo','build'],['export',finished_run,playground.folder/'e','--format','foo'],['export',finished_run,playground.folder/'e','--candidate','9-9'],['report','/tmp'],['resume','/tmp'],['vector','a','b','-o','c'],['vector','a','b','-o','c.safetensors'],['search',c,'--run-dir',r,'--set','base=a/b']):
        o=run_cli(*argv); print(argv, o.code, repr(o.err), repr(o.out[:200]), r.exists())
        shutil.rmtree(r, ignore_errors=True)
