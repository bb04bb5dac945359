# A machine is a recovery's when its notes say so. Until they do, it goes by a name that nobody else gives: New-VM takes no
# notes, and the session may end between the two steps.

function Get-Mark {
    param([string]$RecoveryId)
    return 'rouse-recovery: ' + $RecoveryId
}

function Get-UnfinishedName {
    param([string]$RecoveryId)
    return 'rouse-' + $RecoveryId
}

# Get-VM fails as a whole when somebody's machine goes away while it looks (a guess, from reports of "the object might have
# been deleted"). What it leaves out must never be taken for gone: another machine would be made in its place.
function Get-AllMachines {
    for ($tries = 0; $tries -lt 3; $tries++) {
        try {
            # Whole before anything of it is answered: what was answered before it failed would be there twice.
            $all = @(Get-VM)
            return $all
        }
        catch {
            if ($tries -eq 2) {
                throw
            }
            Start-Sleep -Seconds 1
        }
    }
}

# The machine, or null.
function Find-Machine {
    param([string]$RecoveryId)
    $mark = Get-Mark -RecoveryId $RecoveryId
    $unfinished = Get-UnfinishedName -RecoveryId $RecoveryId
    $found = @()
    foreach ($vm in @(Get-AllMachines)) {
        $lines = ([string]$vm.Notes) -split "`r?`n"
        if (($lines -contains $mark) -or ($vm.Name -eq $unfinished)) {
            $found += $vm
        }
    }
    if ($found.Length -gt 1) {
        Stop-Operation -Code 'identity_conflict' -Message "$($found.Length) machines carry $mark in their notes"
    }
    if ($found.Length -eq 0) {
        return $null
    }
    return $found[0]
}

function Get-Machine {
    param([string]$RecoveryId)
    $vm = Find-Machine -RecoveryId $RecoveryId
    if ($null -eq $vm) {
        Stop-Operation -Code 'machine_unknown' -Message "no machine carries $(Get-Mark -RecoveryId $RecoveryId) in its notes"
    }
    return $vm
}

# Its state as it is, once it stays: while one is under way VMMS refuses every other change.
function Get-SettledState {
    param($Vm)
    $under = @('Starting', 'Stopping', 'Saving', 'Pausing', 'Resuming', 'Reset', 'FastSaving')
    for ($tries = 0; $tries -lt 240; $tries++) {
        $state = [string](Get-VM -Id $Vm.Id).State
        if ($under -notcontains $state) {
            return $state
        }
        Start-Sleep -Milliseconds 500
    }
    return $state
}

# Also where its storage is away (...Critical).
function Test-Stopped {
    param([string]$State)
    return ($State -like 'Off*') -or ($State -like '*Saved*')
}

# In which its disks are nobody's, and it can be started.
function Get-RestingStates {
    return @('Off', 'Saved', 'FastSaved')
}

function Assert-State {
    param($Vm, [string[]]$Allowed)
    $state = Get-SettledState -Vm $Vm
    if ($Allowed -notcontains $state) {
        Stop-Operation -Code 'state_wrong' -Message "$($Vm.Name) is $state, not $($Allowed -join ' or ')"
    }
}

function Invoke-CreateMachine {
    param($Request)
    $made = $false
    $vm = Find-Machine -RecoveryId $Request.recoveryId
    $unfinished = Get-UnfinishedName -RecoveryId $Request.recoveryId
    if ($null -eq $vm) {
        New-Folder -Path $Request.directory
        $vm = New-VM -Name $unfinished -Path $Request.directory -Generation ([int16]$Request.generation) -NoVHD
        $made = $true
    }
    # The name is the last thing that is set: what has another is whole, or was renamed by somebody afterwards.
    if ($vm.Name -eq $unfinished) {
        Set-MachineWishes -Vm $vm -RecoveryId $Request.recoveryId
        Set-MachineHardware -Vm $vm -Request $Request
        Set-MachineNics -Vm $vm -Nics $Request.nics
        Set-VM -VM $vm -NewVMName $Request.name
    }
    return [ordered]@{ vmId = ConvertTo-Guid -Text $vm.Id; made = $made }
}

# Nothing starts or stops it but us, and a stop of the host keeps what it has in memory. Checkpoints would move its disks
# under our hands. https://learn.microsoft.com/powershell/module/hyper-v/set-vm
function Set-MachineWishes {
    param($Vm, [string]$RecoveryId)
    $wishes = @{
        VM = $Vm
        Notes = "Recovered by Rouse`r`n" + (Get-Mark -RecoveryId $RecoveryId)
        AutomaticStartAction = 'Nothing'
        AutomaticStopAction = 'Save'
        CheckpointType = 'Disabled'
        AutomaticCriticalErrorAction = 'Pause'
    }
    Set-VM @wishes
    # Windows Server 2016 has neither them nor the parameter.
    if ((Get-Command -Name 'Set-VM').Parameters.ContainsKey('AutomaticCheckpointsEnabled')) {
        Set-VM -VM $Vm -AutomaticCheckpointsEnabled $false
    }
    # So many minutes a machine whose disk does not answer stands still before its power is taken away. The most that is
    # taken is documented nowhere: a month, else a day, else what it is by default (30 minutes).
    foreach ($minutes in @(43200, 1440)) {
        try {
            Set-VM -VM $Vm -AutomaticCriticalErrorActionTimeout $minutes
            return
        }
        catch {
            if ($minutes -eq 1440) {
                return
            }
        }
    }
}

function Set-MachineHardware {
    param($Vm, $Request)
    # Memory of a machine is a multiple of 2 MiB: a guess, from errors of New-VM with odd sizes.
    $memoryMiB = [int64]$Request.memoryMiB
    $memoryMiB = $memoryMiB + ($memoryMiB % 2)
    Set-VMMemory -VM $Vm -DynamicMemoryEnabled $false -StartupBytes ($memoryMiB * 1048576)
    Set-VMProcessor -VM $Vm -Count ([int64]$Request.processors)
    Set-VMComPort -VM $Vm -Number 1 -Path $Request.pipe
    # A new machine of generation 1 has a DVD drive where a third disk goes.
    foreach ($drive in @(Get-VMDvdDrive -VM $Vm)) {
        Remove-VMDvdDrive -VMDvdDrive $drive
    }
    if ([int]$Request.generation -eq 2) {
        if ($Request.secureBoot -eq 'Off') {
            Set-VMFirmware -VM $Vm -EnableSecureBoot 'Off'
        }
        else {
            Set-VMFirmware -VM $Vm -EnableSecureBoot 'On' -SecureBootTemplate $Request.secureBoot
        }
    }
}

# A new machine has an adapter of Windows' choice; one of ours may be half made, with an address or a link that it should not
# have. This runs only until the machine has its name, so all are made anew.
function Set-MachineNics {
    param($Vm, $Nics)
    foreach ($adapter in @(Get-VMNetworkAdapter -VM $Vm)) {
        Remove-VMNetworkAdapter -VMNetworkAdapter $adapter
    }
    foreach ($nic in $Nics) {
        $mac = $nic.mac -replace ':', ''
        if ($null -eq $nic.switchName) {
            Add-VMNetworkAdapter -VM $Vm -Name $nic.name -StaticMacAddress $mac
        }
        else {
            Add-VMNetworkAdapter -VM $Vm -Name $nic.name -StaticMacAddress $mac -SwitchName $nic.switchName
        }
    }
}

# What it has of ours and needs no more; the marks in the notes stay. These are the values of a new machine.
function Invoke-HandOver {
    param($Request)
    $vm = Get-Machine -RecoveryId $Request.recoveryId
    $wishes = @{
        VM = $vm
        AutomaticStartAction = 'StartIfRunning'
        AutomaticStopAction = 'Save'
        CheckpointType = 'Production'
        AutomaticCriticalErrorActionTimeout = 30
    }
    Set-VM @wishes
    return [ordered]@{ vmId = ConvertTo-Guid -Text $vm.Id }
}

function Invoke-RemoveMachine {
    param($Request)
    $removed = $false
    $vm = Find-Machine -RecoveryId $Request.recoveryId
    if ($null -ne $vm) {
        Stop-Machine -Vm $vm
        Assert-NotMerging -Vm $vm
        # Kept memory goes with it, and so that Remove-VM meets a machine that is off.
        if ((Get-SettledState -Vm $vm) -like '*Saved*') {
            Remove-VMSavedState -VM $vm
        }
        # Of a checkpoint that VMMS knows: what it would merge as the machine goes.
        $snapshots = @(Get-VMSnapshot -VM $vm)
        $own = @(Select-OwnCheckpoint -Snapshots $snapshots -RecoveryId $Request.recoveryId)
        $own += @(Select-UnnamedCheckpoint -Vm $vm -Snapshots $snapshots -RecoveryId $Request.recoveryId)
        if ($own.Length -gt 0) {
            Remove-Leaves -Directory $Request.directory
        }
        Remove-VM -VM $vm -Force
        $removed = $true
    }
    # Also what a making left that was cut off, and somebody's checkpoints, which stand beside the disk that they were made
    # of: nobody can use them without it.
    Remove-Leaves -Directory $Request.directory
    $paths = @($Request.overlays)
    if ([IO.Directory]::Exists($Request.directory)) {
        $paths += [IO.Directory]::GetFiles($Request.directory, '*.new.vhdx')
    }
    [void](Remove-FilesInside -Paths $paths -Directory $Request.directory)
    Remove-EmptyFolder -Path $Request.directory
    return [ordered]@{ removed = $removed }
}
