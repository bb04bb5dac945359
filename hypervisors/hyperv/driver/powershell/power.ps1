function Get-StartLock {
    param([string]$RecoveryId)
    return 'start-' + $RecoveryId
}

# Whether it may let a machine run that was off a moment before.
function Test-Starting {
    param($Request)
    return ($Request.op -eq 'start') -or (($Request.op -eq 'power') -and (@('reset', 'resume') -contains $Request.action))
}

# What was to start the machine may be under way yet, in a session that was lost: its power is off for good only when that has
# ended. What it starts meanwhile is stopped.
function Invoke-TurnOff {
    param($Request)
    $vm = Get-Machine -RecoveryId $Request.recoveryId
    $lock = $null
    for ($tries = 0; ($null -eq $lock) -and ($tries -lt 60); $tries++) {
        Stop-Machine -Vm $vm
        $lock = Wait-Lock -Name (Get-StartLock -RecoveryId $Request.recoveryId) -Milliseconds 5000
    }
    if ($null -eq $lock) {
        Stop-Operation -Code 'busy' -Message "$($vm.Name) was turned off, and an earlier order to start it has been under way for minutes: it may start yet"
    }
    try {
        Stop-Machine -Vm $vm
        return [ordered]@{ state = [string](Get-VM -Id $vm.Id).State }
    }
    finally {
        Exit-Lock -Mutex $lock
    }
}

function Invoke-Power {
    param($Request)
    $vm = Get-Machine -RecoveryId $Request.recoveryId
    switch ($Request.action) {
        'shutdown' {
            Request-Shutdown -Vm $vm
        }
        'reset' {
            Assert-State -Vm $vm -Allowed @('Running', 'Paused', 'RunningCritical', 'PausedCritical')
            Restart-VM -VM $vm -Force
        }
        'resume' {
            if ((Get-SettledState -Vm $vm) -ne 'Running') {
                Assert-State -Vm $vm -Allowed @('Paused', 'PausedCritical')
                Resume-VM -VM $vm
            }
        }
        'save' {
            if ((Get-SettledState -Vm $vm) -ne 'Saved') {
                Assert-State -Vm $vm -Allowed @('Running', 'Paused', 'RunningCritical', 'PausedCritical')
                Save-VM -VM $vm
            }
        }
        'forget-saved' {
            if ((Get-SettledState -Vm $vm) -like '*Saved*') {
                Remove-VMSavedState -VM $vm
            }
        }
    }
    return [ordered]@{ state = [string](Get-VM -Id $vm.Id).State }
}

# At last its worker process is ended: one that waits for a disk does not hear of a stop. It has the machine's id on its
# command line (a guess from what process lists of hosts show), and VMMS may start the machine again when its process ends,
# which is why it is stopped once more: https://learn.microsoft.com/windows/win32/hyperv_v2/msvm-virtualsystemsettingdata
function Stop-Machine {
    param($Vm)
    for ($tries = 0; $tries -lt 4; $tries++) {
        $state = [string](Get-VM -Id $Vm.Id).State
        if (Test-Stopped -State $state) {
            return
        }
        $job = Stop-VM -VM $Vm -TurnOff -Force -AsJob
        [void](Wait-Job -Job $job -Timeout 20)
        if ([string](Get-VM -Id $Vm.Id).State -eq 'Off') {
            return
        }
        Stop-Worker -VmId ([string]$Vm.Id)
    }
    Stop-Operation -Code 'state_wrong' -Message "$($Vm.Name) does not stop: it is $((Get-VM -Id $Vm.Id).State)"
}

function Stop-MachineIfThere {
    param([string]$RecoveryId)
    $vm = Find-Machine -RecoveryId $RecoveryId
    if ($null -ne $vm) {
        Stop-Machine -Vm $vm
    }
}

function Stop-Worker {
    param([string]$VmId)
    foreach ($process in @(Get-CimInstance -ClassName 'Win32_Process' -Filter "Name = 'vmwp.exe'")) {
        if (([string]$process.CommandLine).ToUpperInvariant().Contains($VmId.ToUpperInvariant())) {
            Stop-Process -Id $process.ProcessId -Force
        }
    }
}

# Stop-VM would wait until the guest is down. The machine's shutdown service asks it and returns:
# https://learn.microsoft.com/windows/win32/hyperv_v2/initiateshutdown-msvm-shutdowncomponent
# Force: a guest with unsaved work goes down all the same, as one does whose power button is pressed.
function Request-Shutdown {
    param($Vm)
    Assert-State -Vm $Vm -Allowed @('Running')
    $filter = "SystemName = '" + ([string]$Vm.Id).ToUpperInvariant() + "'"
    $service = @(Get-CimInstance -Namespace 'root\virtualization\v2' -ClassName 'Msvm_ShutdownComponent' -Filter $filter)
    if ($service.Length -eq 0) {
        Stop-Operation -Code 'state_wrong' -Message "$($Vm.Name) has no shutdown service"
    }
    $arguments = @{ Force = $true; Reason = 'Rouse' }
    $said = Invoke-CimMethod -InputObject $service[0] -MethodName 'InitiateShutdown' -Arguments $arguments
    if (@(0, 4096, 32782) -notcontains [int]$said.ReturnValue) {
        Stop-Operation -Code 'state_wrong' -Message "the guest of $($Vm.Name) does not take the order to shut down ($($said.ReturnValue)): its integration services do not run"
    }
}

# Who stopped a machine, by the newest event of its worker process. The numbers are those that Microsoft's own tests look
# for: https://github.com/microsoft/openvmm, petri/src/vm/hyperv/powershell.rs. 18508: by the guest; 18504: by the guest,
# which was asked to; 18608: by the guest, which hibernates; 18502: turned off. 18500 and 18596 are starts: whoever has
# nothing after them lost its power with the host. What stands where in an event is a guess: the machine's id is looked for
# in all of it.
function Get-Stopper {
    param([string]$VmId)
    $filter = @{
        LogName = 'Microsoft-Windows-Hyper-V-Worker-Admin'
        Id = @(18500, 18502, 18504, 18508, 18528, 18596, 18608)
    }
    try {
        $entries = @(Get-WinEvent -FilterHashtable $filter -MaxEvents 1000)
    }
    catch {
        return 'unknown'
    }
    foreach ($entry in $entries) {
        foreach ($property in $entry.Properties) {
            if ([string]$property.Value -eq $VmId) {
                if (@(18504, 18508, 18608) -contains $entry.Id) {
                    return 'guest'
                }
                if ($entry.Id -eq 18502) {
                    return 'order'
                }
                return 'unknown'
            }
        }
    }
    return 'unknown'
}

function Invoke-Observe {
    param($Request)
    $vm = Find-Machine -RecoveryId $Request.recoveryId
    if ($null -eq $vm) {
        return $null
    }
    $state = [string]$vm.State
    $stoppedBy = 'unknown'
    if ($state -eq 'Off') {
        $stoppedBy = Get-Stopper -VmId ([string]$vm.Id)
    }
    $snapshots = @(Get-VMSnapshot -VM $vm)
    $own = @(Select-OwnCheckpoint -Snapshots $snapshots -RecoveryId $Request.recoveryId)
    # What the guest's integration service says of itself. Nothing where none was ever heard of, which is a guess.
    return [ordered]@{
        vmId = ConvertTo-Guid -Text $vm.Id
        name = [string]$vm.Name
        state = $state
        heartbeat = [string]$vm.Heartbeat
        stoppedBy = $stoppedBy
        uptimeMs = [int64]$vm.Uptime.TotalMilliseconds
        checkpoints = $snapshots.Length - $own.Length
        hasOwnCheckpoint = ($own.Length -gt 0)
    }
}
