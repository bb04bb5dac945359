# Of a set-up, which has no recovery: one session at a time works on it, too.
function Invoke-SetupRequest {
    param($Request)
    switch ($Request.op) {
        'survey' { return Invoke-Survey -Request $Request }
        # Looked at while the file comes, by another session.
        'expect-file' { return Invoke-ExpectFile -Request $Request }
    }
    $lock = Enter-Lock -Name $Request.setupId
    try {
        switch ($Request.op) {
            'make-network' { return Invoke-MakeNetwork -Request $Request }
            'remove-network' { return Invoke-RemoveNetwork -Request $Request }
            'set-initiator' { return Invoke-SetInitiator -Request $Request }
            'put-key' { return Invoke-PutKey -Request $Request }
            'remove-key' { return Invoke-RemoveKey -Request $Request }
            'take-file' { return Invoke-TakeFile -Request $Request }
            'create-appliance' { return Invoke-CreateAppliance -Request $Request }
            'start-appliance' { return Invoke-StartAppliance -Request $Request }
            'stop-appliance' { return Invoke-StopAppliance -Request $Request }
            'remove-seed' { return Invoke-RemoveSeed -Request $Request }
            'remove-appliance' { return Invoke-RemoveAppliance -Request $Request }
        }
        throw "there is no operation $($Request.op)"
    }
    finally {
        Exit-Lock -Mutex $lock
    }
}

function Invoke-Request {
    param($Request)
    if ($Request.PSObject.Properties.Name -contains 'setupId') {
        return Invoke-SetupRequest -Request $Request
    }
    switch ($Request.op) {
        'hello' { return Invoke-Hello -Request $Request }
        'report' { return Invoke-Report -Request $Request }
        'check-cmdlets' { return Invoke-CheckCmdlets -Request $Request }
        'observe' { return Invoke-Observe -Request $Request }
        'chain' { return Invoke-Chain -Request $Request }
    }
    # Before the lock: a machine that hangs is stopped whoever is at work on it, who then comes back. Windows' sshd leaves
    # the process of a session that was lost: https://github.com/PowerShell/Win32-OpenSSH/issues/1751
    if (($Request.op -eq 'power') -and ($Request.action -eq 'turn-off')) {
        return Invoke-TurnOff -Request $Request
    }
    if ($Request.op -eq 'remove-machine') {
        Stop-MachineIfThere -RecoveryId $Request.recoveryId
    }
    $starting = $null
    $lock = $null
    try {
        # First, so that no start is under way, waiting included, while somebody else has it.
        if (Test-Starting -Request $Request) {
            $starting = Enter-Lock -Name (Get-StartLock -RecoveryId $Request.recoveryId)
        }
        $lock = Enter-Lock -Name $Request.recoveryId
        switch ($Request.op) {
            'make-target' { return Invoke-MakeTarget -Request $Request }
            'attach-target' { return Invoke-AttachTarget -Request $Request }
            'detach-target' { return Invoke-DetachTarget -Request $Request }
            'remove-targets' { return Invoke-RemoveTargets -Request $Request }
            'put-target' { return Invoke-PutTarget -Request $Request }
            'create-machine' { return Invoke-CreateMachine -Request $Request }
            'make-overlay' { return Invoke-MakeOverlay -Request $Request }
            'make-checkpoint' { return Invoke-MakeCheckpoint -Request $Request }
            'remove-checkpoint' { return Invoke-RemoveCheckpoint -Request $Request }
            'start' { return Invoke-Start -Request $Request }
            'power' { return Invoke-Power -Request $Request }
            'reparent' { return Invoke-Reparent -Request $Request }
            'merge' { return Invoke-Merge -Request $Request }
            'hand-over' { return Invoke-HandOver -Request $Request }
            'remove-machine' { return Invoke-RemoveMachine -Request $Request }
            'connect-volume' { return Invoke-ConnectVolume -Request $Request }
            'disconnect-volume' { return Invoke-DisconnectVolume -Request $Request }
        }
        throw "there is no operation $($Request.op)"
    }
    finally {
        Exit-Lock -Mutex $lock
        Exit-Lock -Mutex $starting
    }
}

function Start-Loop {
    while ($true) {
        $line = [Console]::In.ReadLine()
        if ($null -eq $line) {
            return
        }
        $request = ConvertFrom-Json -InputObject $line
        try {
            $result = Invoke-Request -Request $request
            $answer = [ordered]@{ id = [int]$request.id; ok = $true; result = $result }
        }
        catch {
            $answer = [ordered]@{ id = [int]$request.id; ok = $false; error = Get-Failure -Record $_ }
        }
        [Console]::Out.WriteLine((ConvertTo-AsciiJson -Value $answer))
    }
}

# Whatever a cmdlet says to the host would stand between the answers.
Start-Loop *> $null
exit 0
